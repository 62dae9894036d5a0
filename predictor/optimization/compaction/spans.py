"""Intervals of integers, one for each channel of a tensor: its last axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from predictor.model.graph import Tensor, TensorType
from predictor.model.requantization import Range
from predictor.records import dataclass

Ints = npt.NDArray[np.int64]

TYPE_RANGES = {
    TensorType.INT4: (-8, 7),
    TensorType.INT8: (-128, 127),
    TensorType.UINT8: (0, 255),
    TensorType.INT16: (-32768, 32767),
}
_INT32 = 1 << 31


@dataclass(frozen=True, eq=False, slots=True)
class Span:
    """``low`` and ``high`` of each channel, both inclusive: int64 arrays of one length."""

    low: Ints
    high: Ints

    @property
    def is_constant(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.low == self.high)

    def clipped(self, bounds: Range) -> Span:
        return Span(self.low.clip(*bounds), self.high.clip(*bounds))

    def joined(self, other: Span) -> Span:
        """The smallest intervals that hold both."""
        return Span(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


def channels_of(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def whole_span(tensor: Tensor) -> Span | None:
    """All that the type holds; None for types without integers of few bits."""
    bounds = TYPE_RANGES.get(tensor.type)
    if bounds is None:
        return None
    channels = channels_of(tensor)
    return Span(np.full(channels, bounds[0], np.int64), np.full(channels, bounds[1], np.int64))


def multiplied(x: Ints, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Ints:
    """``MultiplyByQuantizedMultiplier``, which rounds twice, for values it does not overflow on.

    Does not fall where ``x`` grows, as multipliers are not negative.
    """
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    high = ((x << np.maximum(shift, 0)) * multiplier + (1 << 30)) >> 31
    right = np.maximum(-shift, 0)
    half = (np.int64(1) << right) >> 1
    return np.asarray(np.sign(high) * ((np.abs(high) + half) >> right))


def requantized(
    sums: Span, multiplier: npt.ArrayLike, shift: npt.ArrayLike, offset: int, bounds: Range
) -> Span:
    """What a kernel makes of accumulators in an interval.

    Where one may leave 32 bits, on the way too, all that the bounds leave is possible.
    """
    left = np.maximum(np.asarray(shift, np.int64), 0)
    extreme = np.maximum(np.abs(sums.low), np.abs(sums.high))
    is_safe = (extreme < _INT32) & (np.minimum(extreme, _INT32) << np.minimum(left, 31) < _INT32)
    ends = [
        multiplied(np.where(is_safe, end, 0), multiplier, shift) + offset
        for end in (sums.low, sums.high)
    ]
    found = Span(ends[0], ends[1]).clipped(bounds)
    return Span(
        np.where(is_safe, found.low, bounds[0]).astype(np.int64),
        np.where(is_safe, found.high, bounds[1]).astype(np.int64),
    )
