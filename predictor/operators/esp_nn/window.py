"""What ESP-NN's sizes of buffers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from predictor.model.geometry import padding_of
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_4d

Pair = tuple[int, int]


class Window(NamedTuple):
    """A convolution's sizes; pairs are (height, width)."""

    input: Pair
    in_channels: int
    filter: Pair
    out_channels: int
    output: Pair
    padding: Pair
    stride: Pair

    @property
    def taps(self) -> int:
        """Elements of the filter for one channel."""
        return self.filter[0] * self.filter[1]

    @property
    def pixels(self) -> int:
        """Of the input."""
        return self.input[0] * self.input[1]

    @property
    def is_padded(self) -> bool:
        return self.padding != (0, 0)

    @property
    def is_pointwise(self) -> bool:
        return self.filter == self.stride == (1, 1) and not self.is_padded

    def reach(self) -> Pair:
        """How far beyond the input, at bottom and right, the kernel may read."""
        height, width = (
            max(0, out * stride + size - 1 - given)
            for out, stride, size, given in zip(
                self.output, self.stride, self.filter, self.input, strict=True
            )
        )
        return height, width


def window(ctx: NodeContext, options: Mapping[str, Any]) -> Window:
    """The window of an operator whose tensors have 4 dimensions.

    As the glue code does, it takes a dilation for none.
    """
    tensors = (
        ctx.need_input(0, temp=False),
        ctx.need_input(1, temp=False),
        ctx.need_output(0, temp=False),
    )
    check_4d(ctx, *tensors)
    in_shape, filter_shape, out_shape = (ctx.shape(tensor) for tensor in tensors)
    stride = options.get("stride_h", 0), options.get("stride_w", 0)
    ctx.ensure(
        min(*in_shape[1:4], *filter_shape[1:3], *out_shape[1:4], *stride) > 0,
        "its shapes or strides are not positive",
    )
    padding = padding_of(options, in_shape[1:3], filter_shape[1:3])
    return Window(
        input=(in_shape[1], in_shape[2]),
        in_channels=in_shape[3],
        filter=(filter_shape[1], filter_shape[2]),
        out_channels=out_shape[3],
        output=(out_shape[1], out_shape[2]),
        padding=(padding.height, padding.width),
        stride=stride,
    )
