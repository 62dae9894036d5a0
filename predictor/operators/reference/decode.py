"""TFLM_DECODE. Mirrors kernels/decode.cc and decode_state_{lut,prune,huffman}.cc.

Each output is unpacked from two constants: the packed values and a header that says how.
"""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_constant
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_HEADER_BYTES = 16
_TYPE, _VERSION, _STATE_VERSION, _TABLE_SIZE = 0, 1, 4, 5
_LUT, _HUFFMAN, _PRUNE = 0, 1, 2
_32_BIT_TABLE = 1
_STATES = {_LUT: "DecodeStateLut", _HUFFMAN: "DecodeStateHuffman", _PRUNE: "DecodeStatePrune"}
_PLAIN_TYPES = (
    TensorType.BOOL,
    TensorType.FLOAT32,
    TensorType.INT8,
    TensorType.INT16,
    TensorType.INT32,
    TensorType.INT64,
)


def _prepare(ctx: NodeContext) -> None:
    outputs = len(ctx.op.outputs)
    ctx.ensure(
        outputs > 0 and len(ctx.op.inputs) == 2 * outputs,
        f"it has {len(ctx.op.inputs)} inputs for {outputs} outputs; each output needs two",
    )
    ctx.persistent(outputs * ctx.pointer_bytes)
    for position in range(outputs):
        _prepare_output(ctx, position)


def _prepare_output(ctx: NodeContext, position: int) -> None:
    input, ancillary = ctx.need_input(2 * position), ctx.need_input(2 * position + 1)
    output = ctx.need_output(position)
    ensure_constant(ctx, input, "packed input")
    ensure_constant(ctx, ancillary, "header")
    header = b"" if ancillary.data is None else bytes(ancillary.data[:_HEADER_BYTES])
    ctx.ensure(
        len(header) == _HEADER_BYTES,
        f"the header {ancillary.name!r} has {len(header)} bytes, not {_HEADER_BYTES}",
    )
    ctx.ensure(header[_VERSION] == 1, f"header version {header[_VERSION]} is not 1")
    kind = header[_TYPE]
    ctx.ensure(kind in _STATES, f"decoding type {kind} is not supported")
    ctx.persistent_struct(_STATES[kind])
    ctx.ensure(
        header[_STATE_VERSION] == 1, f"version {header[_STATE_VERSION]} of its data is not 1"
    )
    if kind == _HUFFMAN:
        if not header[_TABLE_SIZE] & _32_BIT_TABLE:
            ctx.ensure_type(output, TensorType.INT8)
        runs_on(ctx, output, TensorType.INT8, TensorType.INT16)
        return
    _check_axis(ctx, output)
    if kind == _PRUNE:
        _prepare_zero_points(ctx, output)
    runs_on(ctx, output, *_PLAIN_TYPES)


def _check_axis(ctx: NodeContext, output: Tensor) -> None:
    """Channels must be in the first dimension, or, if there are several, in the last."""
    quantization = output.quantization
    if quantization is None:
        return
    is_last = quantization.dimension == len(ctx.shape(output)) - 1 and quantization.is_per_channel
    ctx.ensure(
        is_last or quantization.dimension == 0,
        f"the quantised dimension {quantization.dimension} is neither the first nor the last",
    )


def _prepare_zero_points(ctx: NodeContext, output: Tensor) -> None:
    quantization = output.quantization
    if quantization is None:
        return
    channels, zero_points = len(quantization.scales), quantization.zero_points
    # Where scales and zero points differ in number, the first zero point goes for all channels.
    used = zero_points if len(zero_points) == channels else zero_points[:1]
    if any(used):
        ctx.ensure(output.type == TensorType.INT8, "all zero points must be 0")
        if channels > 1:
            ctx.persistent(channels)


register("TFLM_DECODE", prepare=_prepare, count=count_outputs)
