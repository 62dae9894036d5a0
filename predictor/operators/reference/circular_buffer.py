"""CIRCULAR_BUFFER. Mirrors kernels/circular_buffer.cc and circular_buffer_common.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.flexbuffer import custom_options
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_CYCLES_MAX = 0
_LAST_LAYER_SLOTS = (5, 13, 25)
_LAST_LAYER_SHAPE = (2, 96)
_LAST_LAYER_COUNT = 5
_PREPARED = "circular buffers prepared"


def _init(ctx: NodeContext) -> None:
    ctx.persistent_struct("OpDataCircularBuffer")
    ctx.user = custom_options(ctx).element(_CYCLES_MAX) if ctx.op.custom_options else 0


def _prepare(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    ctx.ensure(
        len(in_shape) >= 4 and len(out_shape) >= 4,
        "input and output need 4 dimensions",
    )
    ctx.ensure(
        in_shape[0] == out_shape[0] and in_shape[2:4] == out_shape[2:4],
        f"input {list(in_shape)} and output {list(out_shape)} differ in more than dimension 1",
    )
    ctx.ensure(in_shape[1] == 1, f"dimension 1 of the input is {in_shape[1]}, not 1")
    ensure_same_type(ctx, input, output)
    ctx.ensure_type(input, TensorType.INT8)
    cycles = ctx.user if ctx.user > 0 else _default_cycles(ctx, out_shape)
    if cycles != 1:
        ctx.fails_at_invoke(
            f"it ends the inference early (kTfLiteAbort) in all but each {cycles}th call, which "
            "is how streaming models skip the layers behind it"
        )


def _default_cycles(ctx: NodeContext, out_shape: tuple[int, ...]) -> int:
    """The period of a buffer whose options name none: TFLM guesses it from the shape.

    The guess counts such buffers over the life of the program; here over that of the graph.
    """
    prepared = ctx.state.shared.get(_PREPARED, 0) + 1
    is_last = out_shape[1] in _LAST_LAYER_SLOTS or (
        prepared == _LAST_LAYER_COUNT and out_shape[2:4] == _LAST_LAYER_SHAPE
    )
    ctx.state.shared[_PREPARED] = 0 if is_last else prepared
    return 1 if is_last else 2


register("CIRCULAR_BUFFER", init=_init, prepare=_prepare, count=count_outputs, has_effects=True)
