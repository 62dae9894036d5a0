"""Fake quantisation with learnt ranges for 8 and 4 bits.

Values are rounded to the grid of the exported file; gradients pass the rounding straight through
and reach the range as in LSQ (Esser et al., 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

SMALLEST_STEP = 1e-6
RANGE_RATE = 0.1
_HALF_TOLERANCE = 1e-4


def weight_limit(bits: int) -> int:
    """The largest weight; the most negative one is not used (narrow range)."""
    return int(2 ** (bits - 1)) - 1


def learnt_range(variable: Any) -> Any:
    """The range or step that a variable holds.

    Variables hold scaled logarithms: ranges of all sizes then learn at one rate, a tenth of that
    of the weights, and stay positive.
    """
    return tf.exp(RANGE_RATE * tf.convert_to_tensor(variable))


def stored_range(value: Any) -> Any:
    """What the variable of a range or step holds: the inverse of :func:`learnt_range`."""
    return np.log(value) / RANGE_RATE


def straight_through_round(x: Any, rounded: Callable[[Any], Any] = tf.round) -> Any:
    return x + tf.stop_gradient(rounded(x) - x)


def round_half_away(x: Any) -> Any:
    """Halves go away from zero, as kernels round; with 4 bits halves are frequent.

    What 32-bit floats make a little less than a half counts as one.
    """
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5 + _HALF_TOLERANCE)


def as_kernels_sum(y: Any, unit: Any, output_step: Any) -> Any:
    """Sums as a kernel has them before the last rounding, in real values.

    Integer sums are multiples of ``unit`` (input step x weight step, by channel), biases too. The
    fixed-point multiplication rounds their product with a factor from 0.5 to 1 to an integer, and
    only then divides by a power of two (docs/quantization.md): coarse where sums are small, as of
    4-bit values. The gradient passes straight through.
    """
    factor = unit / output_step
    # Factors above 1 are shifted to the left before, which loses nothing.
    power = 2.0 ** tf.minimum(tf.floor(tf.math.log(factor) / math.log(2.0)) + 1.0, 0.0)
    high = tf.floor(tf.round(y / unit) * (factor / power) + 0.5)
    return y + tf.stop_gradient(high * power * output_step - y)


def _scaled_gradient(x: Any, factor: float) -> Any:
    scaled = x * factor
    return scaled + tf.stop_gradient(x - scaled)


def fake_quantize(
    x: Any,
    step: Any,
    low: int,
    high: int,
    gradient_factor: float,
    rounded: Callable[[Any], Any] = tf.round,
) -> Any:
    """``x`` on the grid ``step * [low, high]``; ``gradient_factor`` damps the step's gradient."""
    safe = tf.maximum(_scaled_gradient(step, gradient_factor), SMALLEST_STEP)
    return straight_through_round(tf.clip_by_value(x / safe, low, high), rounded) * safe


def quantize_weights(weights: Any, step: Any, bits: int, elements: int) -> Any:
    """Weights on a symmetric grid; ``elements`` is how many weights share one step."""
    limit = weight_limit(bits)
    return fake_quantize(weights, step, -limit, limit, 1.0 / math.sqrt(elements * limit))


def initial_step(weights: npt.NDArray[np.float32], bits: int, axis: int | None) -> Any:
    """The step that covers all weights (8 bits), or that of LSQ where clipping pays (4 bits)."""
    axes = None if axis is None else tuple(i for i in range(weights.ndim) if i != axis)
    limit = weight_limit(bits)
    if bits == 8:
        step = np.abs(weights).max(axis=axes) / limit
    else:
        step = 2.0 * np.abs(weights).mean(axis=axes) / math.sqrt(limit)
    return np.maximum(step, SMALLEST_STEP).astype(np.float32)


def activation_limits(activation: str, bits: int = 8) -> tuple[int, int]:
    """Grid of activations, without the zero point: one-sided after a rectifier."""
    levels = 2**bits
    if activation.startswith("relu"):
        return (0, levels - 1)
    return (-levels // 2, levels // 2 - 1)


def initial_top(x: npt.NDArray[np.float32], bits: int) -> float:
    """The largest value on the grid that suits activations: all of them (8 bits), or LSQ's."""
    largest = float(np.abs(x).max())
    if bits == 8:
        return largest
    limit = 2.0**bits - 1
    return min(largest, 2.0 * float(np.abs(x).mean()) * math.sqrt(limit))


def quantize_activations(
    x: Any, top: Any, activation: str, elements: int, bits: int = 8, averages: bool = False
) -> Any:
    """Activations on a grid whose largest value is ``top``.

    ``averages``: as pooling kernels round, which do it with the zero point in.
    """
    low, high = activation_limits(activation, bits)
    rounded = round_half_away if bits == 4 else tf.round
    if averages:
        zero_point = 0 if low else -(2 ** (bits - 1))
        rounded = partial(_round_stored, zero_point=zero_point)
    damping = 1.0 / math.sqrt(elements * high)
    return fake_quantize(x, top / high, low, high, damping, rounded)


def _round_stored(x: Any, zero_point: int) -> Any:
    return round_half_away(x + zero_point) - zero_point
