"""GATHER, GATHER_ND, EMBEDDING_LOOKUP. Mirrors kernels/gather.cc, gather_nd.cc and
embedding_lookup.cc."""

from __future__ import annotations

from math import prod
from operator import mul

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_rank, int_option, need_counts, writable_dims
from predictor.operators.constants import read_values
from predictor.operators.context import NodeContext
from predictor.operators.loops import elements
from predictor.operators.quantized import zero_point
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs
from predictor.operators.sizes import runtime_bytes

_MAX_INDICES = 5


def _prepare_gather(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, coords, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(coords, TensorType.INT32)
    ctx.ensure_type(input, TensorType.FLOAT32, TensorType.INT8)
    in_shape, coords_shape = ctx.shape(input), ctx.shape(coords)
    rank = len(in_shape)
    axis = int_option(ctx, "GatherOptions", "axis")
    axis += rank if axis < 0 else 0
    ctx.ensure(0 <= axis < rank, f"axis {axis} is not one of {rank}")
    batch_dims = int_option(ctx, "GatherOptions", "batch_dims")
    batch_dims += len(coords_shape) if batch_dims < 0 else 0
    ctx.ensure(
        0 <= batch_dims <= min(axis, len(coords_shape)),
        f"{batch_dims} batch dimensions do not suit axis {axis} and coordinates "
        f"{list(coords_shape)}",
    )
    ctx.ensure(
        in_shape[:batch_dims] == coords_shape[:batch_dims],
        f"input {list(in_shape)} and coordinates {list(coords_shape)} differ in the first "
        f"{batch_dims} dimensions",
    )
    shape = in_shape[:axis] + coords_shape[batch_dims:] + in_shape[axis + 1 :]
    writable_dims(ctx, output, len(shape))
    ctx.set_shape(output, shape)


def _prepare_gather_nd(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    params, indices, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(params, TensorType.FLOAT32, TensorType.INT8)
    ctx.ensure_type(indices, TensorType.INT32)
    shape, indices_shape = ctx.shape(params), ctx.shape(indices)
    ctx.ensure(bool(shape) and bool(indices_shape), "inputs must have at least one dimension")
    count = indices_shape[-1]
    ctx.ensure(
        count <= min(len(shape), _MAX_INDICES),
        f"{count} indices are too many for an input of {len(shape)} dimensions "
        f"(TFLM takes {_MAX_INDICES})",
    )
    out_shape = indices_shape[:-1] + shape[count:]
    _check_indices(ctx, shape, indices)
    writable_dims(ctx, output, len(out_shape))
    ctx.set_shape(output, out_shape)


def _check_indices(ctx: NodeContext, shape: tuple[int, ...], indices: Tensor) -> None:
    """Constant indices beyond the input make each run fail.

    TFLM bounds the position of the slice, not each index.
    """
    values = _constant_values(ctx, indices)
    count = ctx.shape(indices)[-1]
    if values is None or 0 in shape:
        return
    strides = [prod(shape[axis + 1 :]) for axis in range(count)]
    limit = prod(shape) - prod(shape[count:])
    positions = (
        sum(map(mul, values[start : start + count], strides))
        for start in range(0, len(values), count)
    )
    if not all(0 <= position <= limit for position in positions):
        ctx.fails_at_invoke("one of its indices lies outside the input")


def _constant_values(ctx: NodeContext, tensor: Tensor) -> tuple[int, ...] | None:
    """The values of an int32 constant, None where it is computed or empty."""
    elements = ctx.element_count(tensor)
    if tensor.data is None or not 0 < 4 * elements <= tensor.data.nbytes:
        return None
    return read_values(ctx, tensor.data, "i", elements)


def _prepare_embedding_lookup(ctx: NodeContext) -> None:
    """Mirrors ``EmbeddingLookUpPrepare``."""
    need_counts(ctx, 2, 1)
    lookup = ctx.need_input(0)
    ensure_rank(ctx, lookup, 1)
    ctx.ensure_type(lookup, TensorType.INT32)
    value = ctx.need_input(1)
    rank = len(ctx.shape(value))
    ctx.ensure(rank >= 2, f"the table needs at least 2 dimensions, not {rank}")
    ctx.ensure_type(value, TensorType.FLOAT32, TensorType.INT8)
    output = ctx.need_output(0)
    is_float_table = value.type == TensorType.FLOAT32
    ctx.ensure_type(
        output, TensorType.FLOAT32, TensorType.FLOAT32 if is_float_table else TensorType.INT8
    )
    old = ctx.shape(output)
    ctx.ensure(
        len(old) >= rank, f"the output has {len(old)} dimensions, fewer than the table's {rank}"
    )
    shape = ctx.shape(lookup) + ctx.shape(value)[1:] + old[rank:]
    writable_dims(ctx, output, len(shape))
    ctx.set_shape(output, shape)
    ctx.ensure(
        prod(shape) * runtime_bytes(output, ()) <= runtime_bytes(output, output.shape),
        f"the output {list(output.shape)} is too small for {list(shape)}",
    )
    ctx.persistent_struct("OpDataEmbeddingLookup")
    if value.type == TensorType.INT8 and output.type == TensorType.FLOAT32:
        ctx.ensure(zero_point(value) == 0, "an int8 table needs zero point 0")
    rows, positions = ctx.shape(value)[0], _constant_values(ctx, lookup)
    if positions is not None and not 0 <= min(positions) <= max(positions) < rows:
        ctx.fails_at_invoke(f"it looks up a row that is not one of {rows}")


register(
    "GATHER",
    params="TfLiteGatherParams",
    prepare=_prepare_gather,
    count=count_outputs,
    loops=elements.loops,
)
register("GATHER_ND", prepare=_prepare_gather_nd, count=count_outputs, loops=elements.loops)
register(
    "EMBEDDING_LOOKUP", prepare=_prepare_embedding_lookup, count=count_outputs, loops=elements.loops
)
