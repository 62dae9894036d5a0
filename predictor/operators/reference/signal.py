"""The operators of TFLM's signal library that keep no history: SignalWindow, SignalEnergy,
SignalFftAutoScale, SignalFilterBank and its followers, SignalPCAN. Mirrors the files of these
names in signal/micro/kernels."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import Spec, check_tensors, persistent_elements
from predictor.operators.context import NodeContext
from predictor.operators.flexbuffer import custom_options
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, Step, count_inputs, count_outputs

_INT16, _INT32 = TensorType.INT16, TensorType.INT32
_UINT32, _UINT64 = TensorType.UINT32, TensorType.UINT64
_INT64_BYTES = 8
_SPECTRAL_SUBTRACTION_CHANNELS = 4
"""Place of num_channels among the options sorted by name."""


def _takes(*inputs: Spec, gives: tuple[Spec, ...]) -> Step:
    """A Prepare that checks the tensors and does nothing else."""
    return lambda ctx: check_tensors(ctx, inputs, gives)


def reads_options(struct: str, fields: int) -> Step:
    """An Init that allocates its parameters and reads the first fields of the options."""

    def init(ctx: NodeContext) -> None:
        ctx.persistent_struct(struct)
        options = custom_options(ctx)
        ctx.user = tuple(options.element(index) for index in range(fields))

    return init


def _prepare_window(ctx: NodeContext) -> None:
    check_tensors(ctx, ((_INT16, None), (_INT16, 1)), ((_INT16, None),))
    input, output = ctx.need_input(0, temp=False), ctx.need_output(0, temp=False)
    rank = len(ctx.shape(input))
    ctx.ensure(
        1 <= rank == len(ctx.shape(output)),
        f"the input has {rank} dimensions, the output {len(ctx.shape(output))}",
    )


def _init_filter_bank(ctx: NodeContext) -> None:
    ctx.persistent_struct("TFLMSignalFilterBankParams")
    channels = custom_options(ctx).element(0)
    # One more channel than the output has: the first is scratch.
    persistent_elements(ctx, channels + 1, _INT64_BYTES)


def _init_spectral_subtraction(ctx: NodeContext) -> None:
    ctx.persistent_struct("TFLMSignalSpectralSubtractionParams")
    channels = custom_options(ctx).element(_SPECTRAL_SUBTRACTION_CHANNELS)
    persistent_elements(ctx, channels, ctx.sizeof("u32"))


def count_energy(ctx: NodeContext) -> OpCount:
    """Two squares and an addition for each output element."""
    return OpCount(0, 3 * count_outputs(ctx).other_ops)


def count_filter_bank(ctx: NodeContext) -> OpCount:
    """One MAC for each weight and each unweight."""
    tensors = (ctx.input(1), ctx.input(2))
    return OpCount(sum(ctx.element_count(tensor) for tensor in tensors if tensor is not None))


register(
    "SignalWindow",
    init=reads_options("TFLMSignalWindowParams", 1),
    prepare=_prepare_window,
    count=count_outputs,
)
register(
    "SignalEnergy",
    init=reads_options("TFLMSignalEnergyParams", 2),
    prepare=_takes((_INT16, 1), gives=((_UINT32, 1),)),
    count=count_energy,
)
register(
    "SignalFftAutoScale",
    prepare=_takes((_INT16, 1), gives=((_INT16, 1), (_INT32, 0))),
    count=count_inputs,
)
register(
    "SignalFilterBank",
    init=_init_filter_bank,
    prepare=_takes(
        (_UINT32, 1),
        (_INT16, 1),
        (_INT16, 1),
        (_INT16, 1),
        (_INT16, 1),
        (_INT16, 1),
        gives=((_UINT64, 1),),
    ),
    count=count_filter_bank,
)
register(
    "SignalFilterBankLog",
    init=reads_options("TFLMSignalLogParams", 2),
    prepare=_takes((_UINT32, 1), gives=((_INT16, 1),)),
    count=count_outputs,
)
register(
    "SignalFilterBankSpectralSubtraction",
    init=_init_spectral_subtraction,
    prepare=_takes((_UINT32, 1), gives=((_UINT32, 1), (_UINT32, 1))),
    count=count_outputs,
)
register(
    "SignalFilterBankSquareRoot",
    prepare=_takes((_UINT64, 1), (_INT32, 0), gives=((_UINT32, 1),)),
    count=count_outputs,
)
register(
    "SignalPCAN",
    init=reads_options("TfLitePcanParams", 1),
    prepare=_takes((_UINT32, 1), (_UINT32, 1), (_INT16, 1), gives=((_UINT32, 1),)),
    count=count_outputs,
)
