"""FULLY_CONNECTED. Mirrors kernels/fully_connected_common.cc, kernels/fully_connected.cc and
reference/integer_ops/fully_connected.h."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import check_runtime_shape, ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_hybrid,
    check_multiplier,
)
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.loops import Loops
from predictor.operators.parsing import check_element_types, fused_activation, options_of
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

OPTIONS = "FullyConnectedOptions"
WEIGHT_TYPES = {
    TensorType.FLOAT32: (TensorType.FLOAT32,),
    TensorType.INT8: (TensorType.INT8, TensorType.INT4),
    TensorType.INT16: (TensorType.INT8,),
}
"""Weight types by activation type."""


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each input of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None:
        return OpCount()
    return OpCount(ctx.element_count(output) * last(ctx.shape(filter)))


def last(shape: tuple[int, ...]) -> int:
    """The last dimension, 0 of a scalar."""
    return shape[-1] if shape else 0


def is_per_channel(filter: Tensor) -> bool:
    """More than one scale makes the weights per-channel."""
    return filter.quantization is not None and filter.quantization.is_per_channel


def calculate_op_data(
    ctx: NodeContext, input: Tensor, filter: Tensor, bias: Tensor | None, output: Tensor | None
) -> None:
    """Mirrors ``CalculateOpDataFullyConnected`` up to the activation range of the output.

    Without a bias the output does not matter.
    """
    if input.type == TensorType.FLOAT32:
        return
    if is_per_channel(filter):
        allocate_per_channel(ctx, input, filter)
    else:
        check_multiplier(ctx, input, filter, bias, output)


def allocate_per_channel(ctx: NodeContext, input: Tensor, filter: Tensor) -> None:
    """Checks per-channel weights and requests their multipliers and shifts."""
    ctx.ensure(
        input.type in (TensorType.INT8, TensorType.INT16) and filter.type != TensorType.INT4,
        f"per-channel {filter.type.name} weights are not supported with {input.type.name} "
        "activations",
    )
    quantization = filter.quantization
    assert quantization is not None
    channels, dimension, shape = len(quantization.scales), quantization.dimension, ctx.shape(filter)
    ctx.ensure(
        0 <= dimension < len(shape) and shape[dimension] == channels,
        f"the filter has {channels} scales, which do not fit its quantised dimension {dimension}",
    )
    allocate_requantization(ctx, channels)


def check_options(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    weights_format = options_of(ctx, OPTIONS).get("weights_format", 0)
    ctx.ensure(weights_format in (0, 1), f"weights_format {weights_format} is unknown")


def check_tensors(ctx: NodeContext) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """Input, filter, bias and output of an operator whose options are known."""
    check_options(ctx)
    input, filter, bias = ctx.need_input(0), ctx.need_input(1), ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    check_runtime_shape(ctx, input, filter, output)
    return input, filter, bias, output


def check_hybrid_weights(ctx: NodeContext, input: Tensor, filter: Tensor) -> None:
    check_hybrid(ctx, filter.type in WEIGHT_TYPES.get(input.type, TensorType), input, filter)


def _prepare(ctx: NodeContext) -> None:
    input, filter, bias, output = check_tensors(ctx)
    check_hybrid_weights(ctx, input, filter)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))
    calculate_op_data(ctx, input, filter, bias, output)
    if input.type != TensorType.FLOAT32:
        check_activation_range(ctx, fused_activation(ctx, OPTIONS), output)
    runs_on(ctx, input, *WEIGHT_TYPES)


def loops(ctx: NodeContext) -> Loops | None:
    return nested_loops(ctx, "connected")


def sizes(ctx: NodeContext) -> tuple[int, int, int] | None:
    """Batches, outputs and inputs of each; None for shapes whose loops are not known."""
    input, filter, output = ctx.input(0), ctx.input(1), ctx.output(0)
    if input is None or filter is None or output is None or len(ctx.shape(filter)) != 2:
        return None
    outs, depth = ctx.shape(filter)
    return prod(ctx.shape(output)) // outs if outs else 0, outs, depth


def nested_loops(ctx: NodeContext, kernel: str) -> Loops | None:
    """Three nested loops, under the name of the kernel and its types."""
    input, filter, found = ctx.input(0), ctx.input(1), sizes(ctx)
    if input is None or filter is None or found is None:
        return None
    batches, outs, depth = found
    name = f"{kernel}_{input.type.name.lower()}x{filter.type.name.lower()}"
    made = Loops()
    made.add(name, call=1, batch=batches, result=batches * outs, mac=batches * outs * depth)
    made.streamed_bytes = batches * filter.stored_data_bytes
    return made


register(
    "FULLY_CONNECTED",
    params="TfLiteFullyConnectedParams",
    init=allocates("FullyConnectedOpData"),
    prepare=_prepare,
    count=count,
    loops=loops,
)
