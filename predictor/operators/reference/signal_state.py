"""The operators of TFLM's signal library that keep state: SignalDelay, SignalFramer,
SignalOverlapAdd, SignalStacker, SignalRfft, SignalIrfft. Mirrors the files of these names in
signal/micro/kernels, signal/src/circular_buffer.cc, rfft_*.cc, irfft_*.cc and Kiss FFT."""

from __future__ import annotations

from math import log2
from typing import NamedTuple

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    buffer_bytes,
    check_runtime_shape,
    check_tensors,
    divide,
    persistent_elements,
)
from predictor.operators.context import NodeContext
from predictor.operators.flexbuffer import Flexbuffer, custom_options
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, count_outputs

_FLOAT32, _INT16, _INT32 = TensorType.FLOAT32, TensorType.INT16, TensorType.INT32
_BOOL = TensorType.BOOL
_ELEMENT_BYTES = {_FLOAT32: 4, _INT16: 2, _INT32: 4}
_MAX_STATES = 1 << 20
"""More buffers than this, of 16 bytes at least, fit into no microcontroller."""
_FFT_OPS = 2.5
"""Of a real FFT of n points: 2.5 n log2 n, half of the customary 5 n log2 n of a complex one."""


class _Framing(NamedTuple):
    frame_size: int
    frame_step: int
    is_prefilled: bool


class _Fft(NamedTuple):
    type: TensorType
    length: int


def _circular_buffer_bytes(ctx: NodeContext, capacity: int) -> int:
    """Mirrors ``CircularBufferGetNeededMemory``: each sample is kept twice."""
    return ctx.sizeof("CircularBuffer") + 2 * _ELEMENT_BYTES[_INT16] * capacity


def _outer_dims(ctx: NodeContext, tensor: Tensor, inner: int) -> int:
    outer = divide(ctx.element_count(tensor), inner)
    ctx.ensure(outer <= _MAX_STATES, f"it asks for {outer} buffers, which fit into no arena")
    return outer


def _innermost(ctx: NodeContext, tensor: Tensor) -> int:
    # Without dimensions TFLM reads their number, 0, in place of the innermost.
    return (ctx.shape(tensor) or (0,))[-1]


def _persistent_states(ctx: NodeContext, outer: int, capacity: int) -> None:
    """One circular buffer for each of the outer dimensions, and two arrays of pointers."""
    ctx.persistent(outer * ctx.pointer_bytes)
    ctx.persistent(outer * ctx.pointer_bytes)
    if outer:
        size_bytes = buffer_bytes(ctx, _circular_buffer_bytes(ctx, capacity), 1)
        ctx.persistent_copies(size_bytes, outer)


def _init_delay(ctx: NodeContext) -> None:
    ctx.persistent_struct("TFLMSignalFrontendDelayParams")
    ctx.user = custom_options(ctx).element(0)


def _prepare_delay(ctx: NodeContext) -> None:
    check_tensors(ctx, ((_INT16, None),), ((_INT16, None),))
    input = ctx.need_input(0, temp=False)
    check_runtime_shape(ctx, input)
    delay: int = ctx.user
    ctx.ensure(delay >= 0, f"TFLM crashes: its delay is {delay}")
    inner = _innermost(ctx, input)
    _persistent_states(ctx, _outer_dims(ctx, input, inner), inner + delay)


def _init_framer(ctx: NodeContext) -> None:
    ctx.persistent_struct("TFLMSignalFramerParams")
    options = custom_options(ctx)
    ctx.user = _Framing(options.element(0), options.element(1), options.flag(2))


def _prepare_framer(ctx: NodeContext) -> None:
    check_tensors(ctx, ((_INT16, None),), ((_INT16, None), (_BOOL, 0)))
    input, output = ctx.need_input(0, temp=False), ctx.need_output(0, temp=False)
    ctx.ensure(
        len(ctx.shape(input)) + 1 == len(ctx.shape(output)),
        "the output must have one dimension more than the input",
    )
    check_runtime_shape(ctx, input)
    framing: _Framing = ctx.user
    size, step = framing.frame_size, framing.frame_step
    inner = _innermost(ctx, input)
    ctx.ensure(
        inner >= step and inner == divide(inner, step) * step,
        f"{inner} samples are no multiple of the frame step {step}",
    )
    capacity = divide(size + step - 1, step) * step
    ctx.ensure(
        capacity >= 0 and (size >= step or not framing.is_prefilled),
        f"TFLM crashes: its frame size is {size}, with a frame step of {step}",
    )
    _persistent_states(ctx, _outer_dims(ctx, input, inner), capacity)


def _init_stacker(ctx: NodeContext) -> None:
    ctx.persistent_struct("TFLMSignalStackerParams")
    options = custom_options(ctx)
    channels, left, right = (options.element(index) for index in range(3))
    capacity = channels * (left + right + 1)
    ctx.ensure(capacity >= 0, f"its options ask for room for {capacity} values")
    persistent_elements(ctx, _circular_buffer_bytes(ctx, capacity), 1)


def _prepare_stacker(ctx: NodeContext) -> None:
    check_tensors(ctx, ((_INT16, 1),), ((_INT16, 1), (_BOOL, 0)))


def _element_type(ctx: NodeContext, options: Flexbuffer, *allowed: TensorType) -> TensorType:
    """The option T, which selects the kernel; float32 where it is absent."""
    value = options.named_int("T")
    names = ", ".join(kind.name for kind in allowed)
    ctx.ensure(value in allowed, f"its option T is {value}; TFLM takes {names} here")
    return TensorType(value)


def _init_overlap_add(ctx: NodeContext) -> None:
    ctx.user = _element_type(ctx, custom_options(ctx), _INT16, _FLOAT32)
    ctx.persistent_struct("TFLMSignalOverlapAddParams")


def _prepare_overlap_add(ctx: NodeContext) -> None:
    kind: TensorType = ctx.user
    check_tensors(ctx, ((kind, None),), ((kind, None),))
    input, output = ctx.need_input(0, temp=False), ctx.need_output(0, temp=False)
    shape = ctx.shape(input)
    ctx.ensure(
        2 <= len(shape) == len(ctx.shape(output)) + 1,
        "the input must have two dimensions at least, and one more than the output",
    )
    check_runtime_shape(ctx, input)
    frames, frame_size = shape[-2:]
    outer = _outer_dims(ctx, input, frame_size * frames)
    ctx.persistent(outer * ctx.pointer_bytes)
    ctx.persistent_copies(frame_size * _ELEMENT_BYTES[kind], outer)


def _kiss_fft_bytes(ctx: NodeContext, fft: _Fft) -> int:
    """Mirrors ``kiss_fftr_alloc``, which computes a real FFT as a complex one of half the length.

    Odd lengths it refuses, which the kernel does not notice: it reserves no state.
    """
    if fft.length % 2:
        ctx.note(f"TFLM crashes when it runs: its FFT length {fft.length} is odd")
        return 0
    half = fft.length // 2
    bits = 8 * _ELEMENT_BYTES[fft.type]
    value_bytes = ctx.sizeof(f"kiss_fft_cpx{bits}")
    complex_bytes = ctx.sizeof(f"kiss_fft_state{bits}") + value_bytes * (half - 1)
    return ctx.sizeof("kiss_fftr_state") + complex_bytes + value_bytes * (half * 3 // 2)


def _init_fft(ctx: NodeContext, struct: str) -> _Fft:
    options = custom_options(ctx)
    kind = _element_type(ctx, options, _INT16, _INT32, _FLOAT32)
    ctx.persistent_struct(struct)
    fft = _Fft(kind, options.element(1))
    ctx.ensure(fft.length >= 0, f"its FFT length is {fft.length}")
    ctx.user = fft
    return fft


def _init_rfft(ctx: NodeContext) -> None:
    fft = _init_fft(ctx, "TfLiteAudioFrontendRfftParams")
    persistent_elements(ctx, _kiss_fft_bytes(ctx, fft), 1)


def _init_irfft(ctx: NodeContext) -> None:
    fft = _init_fft(ctx, "TfLiteAudioFrontendIrfftParams")
    header = ctx.sizeof("IrfftFloatState") if fft.type == _FLOAT32 else 0
    persistent_elements(ctx, header + _kiss_fft_bytes(ctx, fft), 1)


def _check_fft(ctx: NodeContext) -> _Fft:
    fft: _Fft = ctx.user
    check_tensors(ctx, ((fft.type, None),), ((fft.type, None),))
    input, output = ctx.need_input(0, temp=False), ctx.need_output(0, temp=False)
    ctx.ensure(
        len(ctx.shape(input)) == len(ctx.shape(output)),
        "input and output must have as many dimensions",
    )
    check_runtime_shape(ctx, input)
    return fft


def _prepare_rfft(ctx: NodeContext) -> None:
    fft = _check_fft(ctx)
    ctx.scratch(fft.length * _ELEMENT_BYTES[fft.type])


def _prepare_irfft(ctx: NodeContext) -> None:
    _check_fft(ctx)


def count_fft(ctx: NodeContext) -> OpCount:
    """2.5 n log2 n elementary operations for each FFT of n points."""
    fft, tensor = ctx.user, ctx.output(0) if ctx.op.name == "SignalIrfft" else ctx.input(0)
    if not isinstance(fft, _Fft) or tensor is None or fft.length < 2:
        return OpCount()
    frames = ctx.element_count(tensor) // max(1, _innermost(ctx, tensor))
    return OpCount(0, frames * round(_FFT_OPS * fft.length * log2(fft.length)))


register("SignalDelay", init=_init_delay, prepare=_prepare_delay, count=count_outputs)
register("SignalFramer", init=_init_framer, prepare=_prepare_framer, count=count_outputs)
register("SignalStacker", init=_init_stacker, prepare=_prepare_stacker, count=count_outputs)
register(
    "SignalOverlapAdd",
    init=_init_overlap_add,
    prepare=_prepare_overlap_add,
    count=count_outputs,
)
register("SignalRfft", init=_init_rfft, prepare=_prepare_rfft, count=count_fft)
register("SignalIrfft", init=_init_irfft, prepare=_prepare_irfft, count=count_fft)
