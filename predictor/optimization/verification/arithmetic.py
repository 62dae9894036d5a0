"""Integer kernels of TFLM, one number at a time or over arrays, from their documentation.

The specification is TensorFlow Lite's quantisation specification and gemmlowp's fixed point:
products of 32-bit integers are scaled by a multiplier of 31 fractional bits, rounded to nearest,
then shifted right, rounded to nearest, halves away from zero.
"""

from __future__ import annotations

from math import frexp, isfinite

import numpy as np
import numpy.typing as npt

from predictor.errors import UnprovedError

Array = npt.NDArray[np.int64]

_WORD = 2**31
_FAR = 2**56


def fixed_point(real: float) -> tuple[int, int]:
    """(mantissa of 31 bits, exponent) of a positive factor, as the runtime stores it.

    Raises:
        UnprovedError: it is no finite number.
    """
    if not isfinite(real):
        raise UnprovedError("a scale is no finite number, or what follows from it is none")
    if real <= 0:
        return 0, 0
    mantissa, exponent = frexp(real)
    whole = int(np.floor(mantissa * _WORD + 0.5))
    if whole == _WORD:
        whole, exponent = whole // 2, exponent + 1
    return (0, 0) if exponent < -31 else (whole, exponent)


def scaled(values: Array, factors: list[tuple[int, int]]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Values along the last axis times their factors, and where nothing overflowed.

    What is far beyond all words is cut off, so that it stays beyond them when it is added to.
    """
    mantissa = np.array([factor[0] for factor in factors], object)
    exponent = [factor[1] for factor in factors]
    left = np.array([1 << max(e, 0) for e in exponent], object)
    right = np.array([1 << max(-e, 0) for e in exponent], object)
    exact = values.astype(object) * left
    is_sound = np.vectorize(lambda x: -_WORD < x < _WORD, otypes=[bool])(exact)
    nearest = (2 * exact * mantissa + _WORD) // (2 * _WORD)
    size = (2 * np.abs(nearest) + right) // (2 * right)
    result = np.minimum(np.maximum(np.where(nearest < 0, -size, size), -_FAR), _FAR)
    return result.astype(np.int64), is_sound


def single(value: float) -> np.float64:
    """A 32-bit float, widened."""
    return np.float64(np.float32(value))


def clamp_of(function: int, scale: float, zero_point: int, low: int, high: int) -> tuple[int, int]:
    """Quantised bounds of a fused activation function: none, RELU, RELU_N1_TO_1, RELU6."""
    real = {1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}.get(function, (None, None))

    def level(bound: float) -> int:
        with np.errstate(all="ignore"):
            steps = float(np.float32(bound) / np.float32(scale))
        if not isfinite(steps):
            raise UnprovedError(f"a scale of {scale} gives an activation no bound")
        return zero_point + int(np.trunc(steps + np.copysign(0.5, steps)))

    return (
        low if real[0] is None else max(low, level(real[0])),
        high if real[1] is None else min(high, level(real[1])),
    )
