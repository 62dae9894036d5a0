"""Element-wise operators on tensors that broadcast.

Mirrors kernels/add_common.cc, sub_common.cc, mul_common.cc, div.cc, squared_difference.cc,
add_n.cc, maximum_minimum.cc, floor_div.cc, floor_mod.cc, prelu_common.cc and select.cc.
"""

from __future__ import annotations

from functools import partial

from predictor.model.floating import Rounding, quotient, single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type, ensure_same_types, need_counts
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import (
    aborts_beyond_rank,
    allocates,
    runs_on,
    unchecked_tensors,
)
from predictor.operators.fixed_point import (
    check_accumulation,
    check_activation_range,
    check_below_one,
)
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.parsing import fused_activation
from predictor.operators.quantized import ensure_symmetric, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, count_outputs

_FLOAT32, _INT32, _INT8, _INT16 = (
    TensorType.FLOAT32,
    TensorType.INT32,
    TensorType.INT8,
    TensorType.INT16,
)
ARITHMETIC_TYPES = (_FLOAT32, _INT32, _INT8, _INT16)
FIXED_POINT_TYPES = (_INT8, _INT16)
_ADD_N_SHIFT = 20


def count_add_n(ctx: NodeContext) -> OpCount:
    """One addition for each output element and each input but the first."""
    return OpCount(0, count_outputs(ctx).other_ops * max(0, len(ctx.op.inputs) - 1))


def need_tensors(ctx: NodeContext) -> tuple[Tensor, Tensor, Tensor]:
    return ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)


def _ensure_unquantized(ctx: NodeContext, *tensors: Tensor) -> None:
    for tensor in tensors:
        ctx.ensure(
            tensor.quantization is None,
            f"tensor {tensor.name!r} is quantised, which INT32 does not support",
        )


def check_sum_multipliers(
    ctx: NodeContext, input1: Tensor, input2: Tensor, output: Tensor, rounded: Rounding
) -> None:
    """Mirrors how ADD (in double) and SUB (in float) rescale both inputs to one scale."""
    _check_input_multipliers(ctx, input1, input2, rounded)
    left_shift = 15 if output.type == _INT16 else 20
    twice = rounded(2 * rounded(max(scale(input1), scale(input2))))
    unit = rounded((1 << left_shift) * rounded(scale(output)))
    multiplier = rounded(quotient(twice, unit))
    check_below_one(ctx, multiplier, "the multiplier from input to output scale")


def _check_input_multipliers(
    ctx: NodeContext, input1: Tensor, input2: Tensor, rounded: Rounding
) -> None:
    twice = rounded(2 * rounded(max(scale(input1), scale(input2))))
    for position, tensor in enumerate((input1, input2)):
        multiplier = rounded(quotient(rounded(scale(tensor)), twice))
        check_below_one(ctx, multiplier, f"the multiplier for the scale of input {position}")


def _prepare_add(ctx: NodeContext) -> None:
    tensors = need_tensors(ctx)
    output = tensors[-1]
    if output.type in FIXED_POINT_TYPES:
        ctx.ensure(output.quantization is not None, "TFLM aborts: the output is not quantised")
    calculate_sum(ctx, *tensors)


def calculate_sum(ctx: NodeContext, input1: Tensor, input2: Tensor, output: Tensor) -> None:
    """Mirrors ``CalculateOpDataAdd``; then what runs."""
    if output.type in FIXED_POINT_TYPES:
        check_sum_multipliers(ctx, input1, input2, output, float)
        check_activation_range(ctx, fused_activation(ctx, "AddOptions"), output)
    elif output.type == _INT32:
        _ensure_unquantized(ctx, input1, input2)
    runs_on(ctx, output, *ARITHMETIC_TYPES)


def _prepare_sub(ctx: NodeContext) -> None:
    input1, input2, output = need_tensors(ctx)
    if output.type in FIXED_POINT_TYPES:
        check_sum_multipliers(ctx, input1, input2, output, single)
        check_activation_range(ctx, fused_activation(ctx, "SubOptions"), output)
    elif output.type == _INT32:
        _ensure_unquantized(ctx, input1, input2, output)
    runs_on(ctx, output, *ARITHMETIC_TYPES)


def _prepare_mul(ctx: NodeContext) -> None:
    input1, input2, output = need_tensors(ctx)
    need_counts(ctx, 2, 1)
    ensure_same_type(ctx, input1, input2)
    if output.type in FIXED_POINT_TYPES:
        check_activation_range(ctx, fused_activation(ctx, "MulOptions"), output)
        if input1.type == _INT16:
            ensure_symmetric(ctx, input1, input2, output)
    runs_on(ctx, input1, *ARITHMETIC_TYPES)


def _prepare_div(ctx: NodeContext) -> None:
    input1, input2, output = need_tensors(ctx)
    ensure_same_types(ctx, input1, input2, output)
    if output.type == _INT8:
        check_activation_range(ctx, fused_activation(ctx, "DivOptions"), output)
    elif output.type == _INT32:
        _ensure_unquantized(ctx, input1, input2)
    runs_on(ctx, output, _FLOAT32, _INT32, _INT8)


def _prepare_squared_difference(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input1, input2, output = need_tensors(ctx)
    ensure_same_type(ctx, input1, input2)
    if input1.type == _INT8:
        for tensor in (input1, input2, output):
            ctx.ensure(
                -128 <= zero_point(tensor) <= 127,
                f"the zero point of tensor {tensor.name!r} does not fit INT8",
            )
    elif input1.type == _INT16:
        ensure_symmetric(ctx, input1, input2, output)
    if input1.type in FIXED_POINT_TYPES:
        _check_input_multipliers(ctx, input1, input2, float)
    runs_on(ctx, output, *ARITHMETIC_TYPES)


def _prepare_add_n(ctx: NodeContext) -> None:
    inputs = len(ctx.op.inputs)
    ctx.ensure(inputs >= 2, "it needs 2 inputs or more")
    ctx.ensure(len(ctx.op.outputs) == 1, "it needs 1 output")
    first, output = ctx.need_input(0), ctx.need_output(0)
    ensure_same_type(ctx, output, first)
    for position in range(1, inputs):
        input = ctx.need_input(position)
        ctx.ensure(ctx.shape(input) == ctx.shape(first), "its inputs differ in shape")
        ensure_same_type(ctx, first, input)
        if first.type == _INT8:
            ctx.ensure(
                zero_point(input) == zero_point(first) and scale(input) == scale(first),
                "its inputs differ in scale or zero point",
            )
    # The scratch buffer holds a pointer to the data of each input.
    if output.type == _FLOAT32:
        ctx.scratch(ctx.pointer_bytes * inputs)
    elif output.type == _INT8:
        ctx.persistent_struct("OpDataAddN")
        ctx.scratch(ctx.pointer_bytes * inputs)
        check_accumulation(ctx, first, output, _ADD_N_SHIFT)
    else:
        ctx.refuse(f"it takes FLOAT32 and INT8, not {output.type.name}")


def prepare_maximum_minimum(ctx: NodeContext) -> tuple[Tensor, ...] | None:
    """TFLM has no Prepare for these: only Eval can fail. The tensors, None where one is missing."""
    tensors = unchecked_tensors(ctx, 2)
    if tensors is None:
        return None
    runs_on(ctx, tensors[-1], _FLOAT32, _INT8, _INT16, _INT32, TensorType.INT64)
    return tensors


def _prepare_maximum_minimum(ctx: NodeContext) -> None:
    prepare_maximum_minimum(ctx)


def _prepare_floor(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input1, input2, output = need_tensors(ctx)
    ensure_same_types(ctx, input1, input2, output)
    runs_on(ctx, input1, _FLOAT32)
    if ctx.op.name == "FLOOR_DIV" and input2.type == _FLOAT32:
        divisors = constant_values(ctx, input2)
        if divisors is not None and 0.0 in divisors:
            ctx.fails_at_invoke("a constant divisor is 0")


def _prepare_prelu(ctx: NodeContext) -> None:
    input, alpha, output = need_tensors(ctx)
    if output.type == _INT16:
        ctx.ensure_type(alpha, _INT8)
    runs_on(ctx, input, _FLOAT32, _INT8, _INT16)
    if input.type == _FLOAT32:
        aborts_beyond_rank(ctx, 4, input, alpha, output)


def _prepare_select(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    condition, x, y = ctx.need_input(0), ctx.need_input(1), ctx.need_input(2)
    output = ctx.need_output(0)
    ctx.ensure_type(condition, TensorType.BOOL)
    ensure_same_type(ctx, x, y)
    shapes = [ctx.shape(tensor) for tensor in (condition, x, y)]
    all_scalars = all(ctx.element_count(tensor) == 1 for tensor in (condition, x, y, output))
    if not all_scalars and not shapes[0] == shapes[1] == shapes[2]:
        _check_select_shapes(ctx, shapes, ctx.shape(output))
    runs_on(ctx, x, _FLOAT32, _INT8, _INT16)


def _check_select_shapes(
    ctx: NodeContext, shapes: list[tuple[int, ...]], out_shape: tuple[int, ...]
) -> None:
    rank = max(len(shape) for shape in shapes)
    ctx.ensure(rank == len(out_shape), "the output has another rank than the inputs")
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    for dims, out_dim in zip(zip(*padded, strict=True), out_shape, strict=True):
        common = 0 if min(dims) == 0 else max(dims)
        ctx.ensure(all(dim in (1, common) for dim in dims), "its inputs do not broadcast")
        ctx.ensure(out_dim == common, "the output does not have the shape of the broadcast inputs")


_register = partial(register, count=count_outputs, overlap=elementwise(0, 1), loops=elements.loops)
_register("ADD", params="TfLiteAddParams", init=allocates("OpDataAdd"), prepare=_prepare_add)
_register("SUB", params="TfLiteSubParams", init=allocates("OpDataSub"), prepare=_prepare_sub)
_register("MUL", params="TfLiteMulParams", init=allocates("OpDataMul"), prepare=_prepare_mul)
_register("DIV", params="TfLiteDivParams", init=allocates("OpDataDiv"), prepare=_prepare_div)
_register(
    "SQUARED_DIFFERENCE",
    init=allocates("OpDataSquaredDifference"),
    prepare=_prepare_squared_difference,
)
register("ADD_N", prepare=_prepare_add_n, count=count_add_n, loops=elements.sum_of_inputs)
register(
    "MAXIMUM",
    "MINIMUM",
    prepare=_prepare_maximum_minimum,
    count=count_outputs,
    loops=elements.loops,
)
register(
    "FLOOR_DIV", "FLOOR_MOD", prepare=_prepare_floor, count=count_outputs, loops=elements.loops
)
register(
    "PRELU",
    init=allocates("PreluParams"),
    prepare=_prepare_prelu,
    count=count_outputs,
    loops=elements.loops,
)
register(
    "SELECT_V2",
    init=allocates("OpDataSelect"),
    prepare=_prepare_select,
    count=count_outputs,
    loops=elements.loops,
)
