"""Which taps of a sliding window lie inside its input, and at which alignment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from predictor.model.geometry import padding_of
from predictor.operators.context import NodeContext
from predictor.operators.parsing import options_of

MOST_STEPS = 1 << 14
MOST_TAPS = 1 << 22


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
        found = 0
        for tap in range(self.window):
            offset = tap * self.dilation - self.pad
            first = max(0, -(offset // self.stride))
            last = min(self.out, (self.size - 1 - offset) // self.stride + 1)
            found += max(0, last - first)
        return found


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
    if min(*strides, *window, *in_shape, *out_shape) < 1:
        return None
    pads = padding.height, padding.width
    rows, columns = (
        Axis(in_shape[1 + i], window[i], out_shape[1 + i], strides[i], dilation[i], pads[i])
        for i in range(2)
    )
    return (rows, columns) if is_of_sane_size(rows, columns, in_shape[0]) else None


def is_of_sane_size(rows: Axis, columns: Axis, batches: int) -> bool:
    """Whether the windows can be gone through in no time; no model for a microcontroller fails."""
    taps = (rows.out * rows.window, columns.out * columns.window)
    return max(*taps, batches) <= MOST_STEPS and taps[0] * taps[1] <= MOST_TAPS
