"""FULLY_CONNECTED. Follows arm_fully_connected_wrapper_s8 of CMSIS-NN and
reference_ops::FullyConnected of TFLM."""

from __future__ import annotations

from math import prod

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.loops.matmul import product_s8, vector_s8
from predictor.operators.quantized import zero_point


def loops(ctx: NodeContext) -> Loops | None:
    """Loops of the kernel that a fully connected layer runs."""
    input, filter, output = ctx.input(0), ctx.input(1), ctx.output(0)
    if input is None or filter is None or output is None or len(ctx.shape(filter)) != 2:
        return None
    outs, depth = ctx.shape(filter)
    out_shape = ctx.shape(output)
    batches = prod(out_shape) // outs if outs else 0
    made = Loops()
    types = input.type, filter.type
    if ctx.kernels == "cmsis_nn" and types == (TensorType.INT8, TensorType.INT8):
        is_per_channel = filter.quantization is not None and filter.quantization.is_per_channel
        if len(out_shape) > 2 and depth % 4 == 0:
            made.add("connected_1x1", call=1, channel=0 if is_per_channel else outs)
            product_s8(made, 1, batches, outs, depth, depth)
            if batches == 1:
                made.streamed_bytes = outs * depth
            return made
        kernel = "vector_per_channel_s8" if is_per_channel else "vector_s8"
        if zero_point(filter):
            kernel += "_offset"
        made.add("connected_s8", call=1)
        vector_s8(made, batches, outs, depth, kernel)
    else:
        name = f"connected_{input.type.name.lower()}x{filter.type.name.lower()}"
        if ctx.kernels == "cmsis_nn" and input.type != TensorType.FLOAT32:
            name = f"cmsis_{name}"
        made.add(name, call=1, batch=batches, result=batches * outs, mac=batches * outs * depth)
    made.streamed_bytes = batches * filter.stored_data_bytes
    return made
