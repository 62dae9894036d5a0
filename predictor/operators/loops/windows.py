"""Which taps of a sliding window lie inside its input, and at which alignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from predictor.model.geometry import NO_PADDING, padding_by
from predictor.operators.context import GraphState, NodeContext
from predictor.operators.loops import CACHED, cycle
from predictor.operators.parsing import options_of

MOST_TAPS = 1 << 10
"""Rows or columns of a window; longer ones are not gone through."""
MOST_TAPS_OF_MODEL = 1 << 18
"""The same for all operators of a model, so that many long ones cost no time either."""


class Taps(NamedTuple):
    """Alike taps, at every fourth output: the first of them, and how many they are."""

    out: int
    tap: int
    position: int
    times: int


class Axis(NamedTuple):
    """A sliding window along one axis, in elements of that axis."""

    size: int
    window: int
    out: int
    stride: int
    dilation: int
    pad: int

    def _inside(self) -> Iterator[tuple[int, int, int]]:
        """(tap, first output, output behind the last) where a tap lies inside."""
        for tap in range(self.window):
            offset = tap * self.dilation - self.pad
            first = max(0, -(offset // self.stride))
            yield tap, first, min(self.out, (self.size - 1 - offset) // self.stride + 1)

    def taps(self) -> Iterator[Taps]:
        """The taps that lie inside, alike ones together."""
        for tap, begin, end in self._inside():
            for step, times in cycle(end - begin):
                out = begin + step
                yield Taps(out, tap, out * self.stride - self.pad + tap * self.dilation, times)

    def inside(self) -> int:
        """Taps that lie inside, over all output positions."""
        return sum(max(0, end - begin) for _, begin, end in self._inside())

    def taps_inside(self) -> Counter[int]:
        """How many outputs have so many taps inside."""
        changes: Counter[int] = Counter()
        for _, begin, end in self._inside():
            if begin < end:
                changes[begin] += 1
                changes[end] -= 1
        found: Counter[int] = Counter()
        taps = last = 0
        for out in (*sorted(changes), self.out):
            found[taps] += out - last
            taps, last = taps + changes[out], out
        return found

    def borders(self) -> Iterator[int]:
        """Outputs whose window may reach beyond the input, in order; for windows not dilated."""
        first = min(self.out, -(-max(0, self.pad) // self.stride))
        last = max(first, (self.size - self.window + self.pad) // self.stride + 1)
        yield from range(first)
        yield from range(last, self.out)


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
    strides = options.get("stride_h", 1), options.get("stride_w", 1)
    padding = options.get("padding", NO_PADDING)
    found = _axes(in_shape, out_shape, window, strides, dilation, padding)
    return found if found is not None and is_of_sane_size(ctx.state, *found) else None


@lru_cache(maxsize=CACHED)
def _axes(
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: int,
) -> tuple[Axis, Axis] | None:
    if min(*strides, *window, *in_shape, *out_shape) < 1:
        return None
    pads = padding_by(padding, in_shape[1:3], window, strides, dilation)
    rows, columns = (
        Axis(in_shape[1 + i], window[i], out_shape[1 + i], strides[i], dilation[i], pads[i])
        for i in range(2)
    )
    return rows, columns


def filter_axes(ctx: NodeContext, table: str) -> tuple[Axis, Axis] | None:
    """Those of an operator whose second input is the filter; None for shapes that are not 4D."""
    filter = ctx.input(1)
    if filter is None or len(ctx.shape(filter)) != 4:
        return None
    return axes(ctx, table, ctx.shape(filter)[1:3])


def is_of_sane_size(state: GraphState, rows: Axis, columns: Axis) -> bool:
    """Whether the windows can be gone through in no time, and the last begins inside the input.

    No model for a microcontroller fails.
    """
    taps = max(rows.window, columns.window)
    state.taps_walked += taps
    if taps > MOST_TAPS or state.taps_walked > MOST_TAPS_OF_MODEL:
        return False
    return all((axis.out - 1) * axis.stride - axis.pad < axis.size for axis in (rows, columns))
