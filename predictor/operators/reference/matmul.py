"""BATCH_MATMUL. Mirrors kernels/batch_matmul_common.cc and kernels/batch_matmul.cc."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_rank, ensure_same_type, need_counts, writable_dims
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_multiplier
from predictor.operators.evaluation import allocates
from predictor.operators.parsing import options_of
from predictor.operators.quantized import ensure_symmetric
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

_OPTIONS = "BatchMatMulOptions"


def _adjoints(ctx: NodeContext) -> tuple[bool, bool]:
    """Whether left and right operand are given transposed."""
    options = options_of(ctx, _OPTIONS)
    return bool(options.get("adj_x", False)), bool(options.get("adj_y", False))


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each element of the summed dimension of each output element."""
    lhs, output = ctx.input(0), ctx.output(0)
    if lhs is None or output is None or len(ctx.shape(lhs)) < 2:
        return OpCount()
    adj_x, _ = _adjoints(ctx)
    return OpCount(ctx.element_count(output) * ctx.shape(lhs)[-2 if adj_x else -1])


def prepare(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    lhs, rhs, output = check_operands(ctx, 5)
    prepare_quantization(ctx, lhs, rhs, output)
    allocate_transposed(ctx, lhs, rhs)
    reshape_output(ctx, lhs, rhs, output)


def check_operands(ctx: NodeContext, highest_rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right operand and the output, of the same type."""
    lhs, rhs, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_same_type(ctx, lhs, rhs)
    ensure_same_type(ctx, lhs, output)
    ctx.ensure_type(lhs, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)
    for operand in (lhs, rhs):
        ensure_rank(ctx, operand, 2, highest_rank)
    return lhs, rhs, output


def allocate_transposed(ctx: NodeContext, lhs: Tensor, rhs: Tensor) -> None:
    """Persistent copies of the operands that must be transposed, constant or not."""
    adj_x, adj_y = _adjoints(ctx)
    for operand, is_needed in ((lhs, adj_x), (rhs, not adj_y)):
        if is_needed:
            ctx.persistent_struct("TfLiteEvalTensor")
            ctx.persistent(4 + 4 * len(ctx.shape(operand)))
            ctx.persistent(ctx.runtime_bytes(operand))


def prepare_quantization(ctx: NodeContext, lhs: Tensor, rhs: Tensor, output: Tensor) -> None:
    if lhs.type == TensorType.FLOAT32:
        return
    ctx.persistent_struct("QuantizationOpDataBatchMatmul")
    check_multiplier(ctx, lhs, rhs, None, output)
    if lhs.type == TensorType.INT16:
        ensure_symmetric(ctx, lhs, rhs, output)


def _extended(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


def reshape_output(ctx: NodeContext, lhs: Tensor, rhs: Tensor, output: Tensor) -> None:
    """Checks the shapes, then mirrors ``ReshapeOutputTensor``: the output gets dims anew."""
    adj_x, adj_y = _adjoints(ctx)
    lhs_shape, rhs_shape = ctx.shape(lhs), ctx.shape(rhs)
    rank = max(len(lhs_shape), len(rhs_shape))
    lhs_shape, rhs_shape = _extended(lhs_shape, rank), _extended(rhs_shape, rank)
    batches = list(zip(lhs_shape[:-2], rhs_shape[:-2], strict=True))
    ctx.ensure(
        all(left in (right, 1) or right == 1 for left, right in batches),
        f"the batch dimensions {list(lhs_shape[:-2])} and {list(rhs_shape[:-2])} do not broadcast",
    )
    summed = lhs_shape[-2 if adj_x else -1], rhs_shape[-1 if adj_y else -2]
    ctx.ensure(summed[0] == summed[1], f"the summed dimensions {summed[0]} and {summed[1]} differ")
    before = ctx.shape(output)
    ctx.ensure(rank <= len(before), f"the output needs {rank} dimensions, not {len(before)}")
    writable_dims(ctx, output, rank)
    shape = tuple(right if left == 1 else left for left, right in batches)
    shape += (lhs_shape[-1 if adj_x else -2], rhs_shape[-2 if adj_y else -1])
    ctx.ensure(
        prod(shape) == prod(before), f"the output has the shape {list(before)}, not {list(shape)}"
    )
    ctx.set_shape(output, shape)


register(
    "BATCH_MATMUL",
    params="TfLiteBatchMatMulParams",
    init=allocates("BatchMatmulOpData"),
    prepare=prepare,
    count=count,
)
