"""CONCATENATION when it kept scale and zero point of each int8 input. Mirrors
kernels/concatenation.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import ensure_rank, ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.parsing import ACTIVATION_NONE, fused_activation
from predictor.operators.quantized import INT32_BYTES
from predictor.operators.reference_2024_05 import register

_MAX_INPUTS, _MAX_RANK = 10, 6
_TYPES = (
    TensorType.FLOAT32,
    TensorType.INT8,
    TensorType.INT16,
    TensorType.INT32,
    TensorType.INT64,
    TensorType.BOOL,
)


def _prepare(ctx: NodeContext) -> None:
    first, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure(
        fused_activation(ctx, "ConcatenationOptions") == ACTIVATION_NONE,
        "it must not have a fused activation",
    )
    ctx.ensure_type(first, *_TYPES)
    ensure_same_type(ctx, first, output)
    count = len(ctx.op.inputs)
    ctx.ensure(count <= _MAX_INPUTS, f"it has {count} inputs, TFLM takes {_MAX_INPUTS}")
    for position in range(count):
        ensure_rank(ctx, ctx.need_input(position), 0, _MAX_RANK)
    ctx.need_output(0)
    if first.type == TensorType.INT8:
        ctx.persistent(count * INT32_BYTES)
        ctx.persistent(count * INT32_BYTES)
        for position in range(count):
            ctx.need_input(position)


register("CONCATENATION", prepare=_prepare)
