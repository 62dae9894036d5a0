"""Which taps of a sliding window lie inside its input, and at which alignment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from predictor.operators.context import NodeContext
from predictor.operators.geometry import padding_of
from predictor.operators.parsing import options_of


class Axis(NamedTuple):
    """A sliding window along one axis, in elements of that axis."""

    size: int
    window: int
    out: int
    stride: int
    dilation: int
    pad: int

    def taps(self) -> Iterator[tuple[int, int, int]]:
        """(output position, tap, input position) of each tap that lies inside."""
        for out in range(self.out):
            first = out * self.stride - self.pad
            for tap in range(self.window):
                position = first + tap * self.dilation
                if 0 <= position < self.size:
                    yield out, tap, position

    def inside(self) -> int:
        """Taps that lie inside, over all output positions."""
        return sum(1 for _ in self.taps())


def axes(
    ctx: NodeContext, table: str, window: tuple[int, ...], dilated: bool = True
) -> tuple[Axis, Axis] | None:
    """Rows and columns of a convolution or pooling; None for shapes that are not 4D."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    if len(in_shape) != 4 or len(out_shape) != 4:
        return None
    options = options_of(ctx, table)
    dilation = (1, 1)
    if dilated:
        dilation = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
    padding = padding_of(options, in_shape[1:3], window, dilation)
    strides = options.get("stride_h", 1), options.get("stride_w", 1)
    pads = padding.height, padding.width
    rows, columns = (
        Axis(in_shape[1 + i], window[i], out_shape[1 + i], strides[i], dilation[i], pads[i])
        for i in range(2)
    )
    return rows, columns
