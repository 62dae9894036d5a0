"""How far an output may overlap an input: the smallest safe distance, from a kernel's loop order.

An output may begin D bytes below an input if no byte of the input is overwritten before its last
read. A kernel is described as steps in their order: each reads from some byte of the input on and
has, when it ends, written the output up to some byte. Of what a step reads only the first byte
matters, of what was written only the end: D is the largest difference between the end of what was
written before a step and the first byte that it reads. Nothing depends on data.

Both are sums of what each axis adds (image, row, column), and along an axis they rise evenly but at
the border, where windows begin in the padding. So the difference is largest at an end of an axis or
at its border, and only these positions are looked at: the work does not grow with the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from math import gcd
from typing import NamedTuple

from predictor.model.geometry import padding_of
from predictor.operators.context import NodeContext
from predictor.operators.parsing import options_of
from predictor.records import dataclass

LONGEST_PERIOD = 4
"""Outputs that a kernel finishes together, at most."""
CACHED = 1 << 12
"""Windows whose distances are kept: shapes recur, in a model and from one to the next."""
MOST_PLACES = 1 << 13
"""More are not looked at; no real model has so many, as dilation would have to be huge."""


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


class Place(NamedTuple):
    """An output position, counted through all images, and the first input pixel it reads."""

    image: int
    row: int
    column: int
    position: int
    pixel: int


def ends(count: int, period: int, breaks: Sequence[int] = ()) -> list[int]:
    """Those of ``count`` numbers between which what rises evenly cannot be largest.

    Args:
        period: what is looked at may hang on a number modulo this, too.
        breaks: numbers from which on it rises in another way.
    """
    found: set[int] = set()
    for at in (0, count, *breaks):
        found.update(range(max(0, at - 2 * period), min(count, at + 2 * period)))
    return sorted(found)


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
        return self.images * self.positions_of_image

    @property
    def positions_of_image(self) -> int:
        return self.out_size[0] * self.out_size[1]

    @property
    def output_elements(self) -> int:
        return self.positions * self.out_channels

    @property
    def is_bounded(self) -> bool:
        """Whether there are few places to look at, as there are in all real models."""
        spread = 4 * LONGEST_PERIOD
        rows, columns = (spread + len(self._border(axis, LONGEST_PERIOD)) for axis in (0, 1))
        return min(self.images, spread) * rows * columns <= MOST_PLACES

    def places(self, period: int) -> Iterator[Place]:
        """Places between which the difference of what is written and read cannot be largest.

        Args:
            period: outputs that a kernel finishes together, or elements that share a byte.
        """
        height, width = self.in_size
        out_height, out_width = self.out_size
        rows, columns = (list(self.first_inside(axis, period)) for axis in (0, 1))
        for image in ends(self.images, period):
            for row, y in rows:
                position = (image * out_height + row) * out_width
                pixel = (image * height + y) * width
                for column, x in columns:
                    yield Place(image, row, column, position + column, pixel + x)

    def _border(self, axis: int, period: int) -> range:
        """The last outputs whose windows begin in the padding.

        Where such windows begin inside repeats with a cycle, and later ones count.
        """
        stride, dilation = self.stride[axis], self.dilation[axis]
        border = min(-(-max(0, self.padding[axis]) // stride), self.out_size[axis])
        cycle = dilation // gcd(dilation, stride)
        return range(max(0, border - 2 * period * cycle), border)

    def first_inside(self, axis: int, period: int = 1) -> Iterator[tuple[int, int]]:
        """Outputs along an axis with the first coordinate of their windows inside the image.

        Windows that lie in the padding as a whole read nothing and are left out.
        """
        stride, dilation = self.stride[axis], self.dilation[axis]
        size, padding = self.in_size[axis], self.padding[axis]
        border = self._border(axis, period)
        last = min(self.out_size[axis], (size - 1 + padding) // stride + 1)
        inner = (border.stop + item for item in ends(last - border.stop, period))
        for out in chain(border, inner):
            start = out * stride - padding
            tap = max(0, -(start // dilation))
            found = start + tap * dilation
            if tap < self.filter_size[axis] and found < size:
                yield out, found


@lru_cache(maxsize=CACHED)
def by_position(windows: Windows, ahead: int = 0) -> int:
    """D in elements of a kernel that finishes one output position before the next.

    Args:
        ahead: how far, within a position, the channels written are ahead of those still read.
    """
    (height, width), (out_height, out_width) = windows.in_size, windows.out_size
    inputs, outputs = windows.in_channels, windows.out_channels
    image = out_height * out_width * outputs - height * width * inputs
    rows = (row * out_width * outputs - y * width * inputs for row, y in windows.first_inside(0))
    columns = (column * outputs - x * inputs for column, x in windows.first_inside(1))
    worst_row, worst_column = max(rows, default=None), max(columns, default=None)
    if worst_row is None or worst_column is None:
        return 0
    return max(0, max(0, (windows.images - 1) * image) + worst_row + worst_column + ahead)


def windows_of(
    ctx: NodeContext, filter_size: tuple[int, int], table: str, dilates: bool = True
) -> Windows | None:
    """The windows of an operator on images, None where shapes are not such."""
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
    windows = Windows(
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
    return windows if windows.is_bounded else None
