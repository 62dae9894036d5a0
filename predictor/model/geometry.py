"""Padding of convolutions and pooling. Mirrors kernels/padding.h."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

SAME = 0
VALID = 1
"""Values of the schema's ``Padding``."""
INT32_MAX = 2**31 - 1


class Padding(NamedTuple):
    """Rows and columns padded before the first element, and the windowed output size."""

    height: int = 0
    width: int = 0
    out_height: int = 0
    out_width: int = 0


def _out_size(padding: int, size: int, filter: int, stride: int, dilation: int) -> int | None:
    """Mirrors ``ComputeOutSizeChecked``; None where that fails."""
    if padding not in (SAME, VALID) or filter <= 0 or stride <= 0 or dilation <= 0:
        return None
    span = 1 if padding == SAME else (filter - 1) * dilation + 1
    room = size + stride - span
    out = room // stride if room >= 0 else -(-room // stride)  # C++ divides towards zero.
    return out if 0 <= out <= INT32_MAX else None


def _before(size: int, filter: int, stride: int, dilation: int, out: int) -> int | None:
    """Mirrors ``ComputePaddingWithOffsetChecked``; None where that fails."""
    total = (out - 1) * stride + (filter - 1) * dilation + 1 - size
    before = max(total, 0) // 2
    return before if before <= INT32_MAX else None


NO_PADDING = -1
"""What stands for the padding of operators without options."""


def padding_of(
    options: Mapping[str, Any],
    in_size: Sequence[int],
    filter_size: Sequence[int],
    dilation: Sequence[int] = (1, 1),
) -> Padding:
    """As :func:`padding_by`, from an operator's options."""
    strides = options.get("stride_h", 0), options.get("stride_w", 0)
    kind = options.get("padding", NO_PADDING)
    return padding_by(kind, tuple(in_size), tuple(filter_size), strides, tuple(dilation))


@lru_cache(maxsize=1 << 12)
def padding_by(
    kind: int,
    in_size: tuple[int, ...],
    filter_size: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Padding:
    """Mirrors ``ComputePaddingHeightWidth``; sizes, strides and dilation are (height, width).

    TFLM ignores errors here: what was not yet computed when one occurs stays 0.
    """
    sizes = [
        _out_size(kind, *arguments)
        for arguments in zip(in_size, filter_size, strides, dilation, strict=True)
    ]
    out_height, out_width = sizes
    if out_width is None:
        return Padding()
    if out_height is None:
        return Padding(out_width=out_width)
    found = Padding(out_height=out_height, out_width=out_width)
    height = _before(in_size[0], filter_size[0], strides[0], dilation[0], out_height)
    if height is None:
        return found
    found = found._replace(height=height)
    width = _before(in_size[1], filter_size[1], strides[1], dilation[1], out_width)
    return found if width is None else found._replace(width=width)
