"""Prepare of CONV_2D, DEPTHWISE_CONV_2D and SOFTMAX: the reference kernel's, then the buffer that
ESP-NN asks for. Mirrors kernels/esp_nn/conv.cc, depthwise_conv.cc and softmax.cc."""

from __future__ import annotations

from collections.abc import Callable

from predictor.model.graph import TensorType
from predictor.operators.around import after
from predictor.operators.context import NodeContext
from predictor.operators.esp_nn.buffers import conv_p4, conv_s3, depthwise_s3
from predictor.operators.esp_nn.window import Window, window
from predictor.operators.parsing import options_of
from predictor.operators.quantized import INT32_BYTES
from predictor.operators.registry import Overlay, Step
from predictor.operators.sizes import to_int32

_INT8 = TensorType.INT8


def _request(ctx: NodeContext, size: int) -> None:
    size = to_int32(size)  # ESP-NN computes it as an int
    if size > 0:
        ctx.scratch(size)


def _conv(size: Callable[[Window], int]) -> Step:
    def request(ctx: NodeContext) -> None:
        if ctx.need_input(0, temp=False).type == _INT8:
            _request(ctx, size(window(ctx, options_of(ctx, "Conv2DOptions"))))

    return request


def _request_depthwise(ctx: NodeContext) -> None:
    options = options_of(ctx, "DepthwiseConv2DOptions")
    if ctx.need_input(0, temp=False).type == _INT8:
        _request(ctx, depthwise_s3(window(ctx, options), options.get("depth_multiplier", 0)))


def _request_softmax(ctx: NodeContext) -> None:
    """The buffer has a word for each of dimension 1, which the glue code takes for the width."""
    input, output = ctx.need_input(0, temp=False), ctx.need_output(0, temp=False)
    shape = ctx.shape(input)
    if input.type == output.type == _INT8 and len(shape) > 1:
        _request(ctx, shape[1] * INT32_BYTES)


def kernels(
    module: str, conv: Callable[[Window], int] | None = None, *, has_depthwise: bool = False
) -> Overlay:
    """The kernels of one chip."""
    names = ["SOFTMAX", *(["CONV_2D"] if conv else []), *["DEPTHWISE_CONV_2D"] * has_depthwise]
    made = Overlay(module, names)
    made.register("SOFTMAX", around=after(_request_softmax))
    if conv is not None:
        made.register("CONV_2D", around=after(_conv(conv)))
    if has_depthwise:
        made.register("DEPTHWISE_CONV_2D", around=after(_request_depthwise))
    return made


GENERIC = kernels(__name__)
S3 = kernels(__name__, conv_s3, has_depthwise=True)
P4 = kernels(__name__, conv_p4)
