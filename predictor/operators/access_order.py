"""How far an output may overlap an input: the smallest safe distance, from a kernel's loop order.

An output may begin D bytes below an input if no byte of the input is overwritten before its last
read. A kernel is described as steps in their order: each reads from some byte of the input on and
has, when it ends, written the output up to some byte. Of what a step reads only the first byte
matters, of what was written only the end: D is the largest difference between the end of what is
written and the first byte that a later step still reads. Nothing depends on data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from predictor.model.geometry import padding_of
from predictor.operators.context import NodeContext
from predictor.operators.parsing import options_of

Steps = npt.NDArray[np.int64]

NOTHING = 1 << 62
"""First element read by a step that reads nothing."""
MAX_STEPS = 1 << 22
MAX_CHANNELS = 1 << 16
"""Kernels of more steps or channels are not looked at: the file is taken for hostile."""


class InputOverlap(NamedTuple):
    """How far below an input, named by its position, the output may begin.

    With ``only_equal`` the output may begin exactly where the input does, or not overlap it.
    ``rule`` is the reason, in words.
    """

    position: int
    distance_bytes: int
    rule: str
    only_equal: bool = False


OverlapRule = Callable[[NodeContext], Sequence[InputOverlap]]
"""The inputs that the output of an operator may overlap; none for kernels that are not known."""


def distance(first_reads: Steps, write_ends: Steps) -> int:
    """D of steps in their order of execution, in the unit of the arguments; never negative.

    Args:
        first_reads: the first element that each step reads, ``NOTHING`` for none.
        write_ends: the element behind the last that each step writes.
    """
    if len(first_reads) < 2:
        return 0
    later = np.minimum.accumulate(first_reads[:0:-1])[::-1]
    return max(0, int((write_ends[:-1] - later).max()))


@dataclass(frozen=True)
class Windows:
    """A convolution or pooling as its loops see it. Sizes are (height, width) in elements."""

    images: int
    in_size: tuple[int, int]
    in_channels: int
    out_size: tuple[int, int]
    out_channels: int
    filter_size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]

    @property
    def positions(self) -> int:
        """Output positions of all images."""
        return self.images * self.out_size[0] * self.out_size[1]

    @property
    def output_elements(self) -> int:
        return self.positions * self.out_channels

    def first_pixels(self) -> Steps:
        """The first pixel in the window of each output position, NOTHING where all is padding."""
        rows, columns = (self._first_inside(axis) for axis in (0, 1))
        image = rows[:, None] * self.in_size[1] + columns[None, :]
        image[(rows[:, None] == NOTHING) | (columns[None, :] == NOTHING)] = NOTHING
        return self._all_images(image)

    def tap_pixels(self, tap: tuple[int, int]) -> Steps:
        """The pixel under one tap of the window of each output position."""
        rows, columns = (self._tap(axis, tap[axis]) for axis in (0, 1))
        image = rows[:, None] * self.in_size[1] + columns[None, :]
        image[(rows[:, None] == NOTHING) | (columns[None, :] == NOTHING)] = NOTHING
        return self._all_images(image)

    def _first_inside(self, axis: int) -> Steps:
        """The first coordinate of each window that lies inside the image."""
        dilation = self.dilation[axis]
        start = np.arange(self.out_size[axis], dtype=np.int64) * self.stride[axis]
        start -= self.padding[axis]
        tap = np.maximum(0, -(start // dilation))
        found = start + tap * dilation
        return np.where(
            (tap < self.filter_size[axis]) & (found < self.in_size[axis]), found, NOTHING
        )

    def _tap(self, axis: int, tap: int) -> Steps:
        start = np.arange(self.out_size[axis], dtype=np.int64) * self.stride[axis]
        coordinates = start + tap * self.dilation[axis] - self.padding[axis]
        outside = (coordinates < 0) | (coordinates >= self.in_size[axis])
        return np.where(outside, NOTHING, coordinates)

    def _all_images(self, image: Steps) -> Steps:
        pixels = self.in_size[0] * self.in_size[1]
        starts = np.arange(self.images, dtype=np.int64)[:, None] * pixels
        flat = image.reshape(1, -1)
        return np.where(flat == NOTHING, NOTHING, starts + flat).reshape(-1)


class InnerStep(NamedTuple):
    """A step within one output position, by channels: first one read, end of those written."""

    read: int
    end: int


def by_position(windows: Windows, inner: Sequence[InnerStep]) -> int:
    """D in elements of a kernel that finishes one output position before the next.

    Args:
        inner: the steps of a position in their order, which read and write rising channels.
    """
    pixels = windows.first_pixels()
    reads = element_reads(pixels, windows.in_channels)
    ends = np.arange(len(pixels), dtype=np.int64) * windows.out_channels
    first = element_reads(pixels, windows.in_channels, inner[0].read)
    result = distance(first, ends + inner[-1].end)
    if len(inner) > 1:
        # Within a position the worst is the pair of steps of the largest difference.
        worst = max(a.end - b.read for a, b in pairwise(inner))
        inside = pixels != NOTHING
        if inside.any():
            result = max(result, int((ends - reads)[inside].max()) + worst)
    return result


def element_reads(pixels: Steps, channels: int, first_channel: int = 0) -> Steps:
    """The first element read in each of some pixels."""
    return np.where(pixels == NOTHING, NOTHING, pixels * channels + first_channel)


def windows_of(
    ctx: NodeContext, filter_size: tuple[int, int], table: str, dilates: bool = True
) -> Windows | None:
    """The windows of an operator on images, None where shapes are not such or too large."""
    input, output, options = ctx.input(0), ctx.output(0), options_of(ctx, table)
    if input is None or output is None:
        return None
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    names = ("stride_h", "stride_w"), ("dilation_h_factor", "dilation_w_factor")
    stride, dilation = ((options.get(h, 0), options.get(w, 0)) for h, w in names)
    dilation = dilation if dilates else (1, 1)
    sizes = (*in_shape, *out_shape, *filter_size, *stride, *dilation)
    if len(in_shape) != 4 or len(out_shape) != 4 or min(sizes) < 1:
        return None
    padding = padding_of(options, in_shape[1:3], filter_size, dilation)
    if max(sizes) > MAX_STEPS or ctx.element_count(output) > MAX_STEPS:
        return None
    if max(in_shape[3], out_shape[3]) > MAX_CHANNELS:
        return None
    return Windows(
        images=in_shape[0],
        in_size=(in_shape[1], in_shape[2]),
        in_channels=in_shape[3],
        out_size=(out_shape[1], out_shape[2]),
        out_channels=out_shape[3],
        filter_size=filter_size,
        stride=stride,
        dilation=dilation,
        padding=(padding.height, padding.width),
    )
