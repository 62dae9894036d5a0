"""Fake quantisation with learnt ranges for 8 and 4 bits.

Values are rounded to the grid of the exported file; gradients pass the rounding straight through
and reach the range as in LSQ (Esser et al., 2020).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

SMALLEST_STEP = 1e-6
RANGE_RATE = 0.1


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


def straight_through_round(x: Any) -> Any:
    return x + tf.stop_gradient(tf.round(x) - x)


def _scaled_gradient(x: Any, factor: float) -> Any:
    scaled = x * factor
    return scaled + tf.stop_gradient(x - scaled)


def fake_quantize(x: Any, step: Any, low: int, high: int, gradient_factor: float) -> Any:
    """``x`` on the grid ``step * [low, high]``; ``gradient_factor`` damps the step's gradient."""
    safe = tf.maximum(_scaled_gradient(step, gradient_factor), SMALLEST_STEP)
    return straight_through_round(tf.clip_by_value(x / safe, low, high)) * safe


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


def quantize_activations(x: Any, top: Any, activation: str, elements: int, bits: int = 8) -> Any:
    """Activations on a grid whose largest value is ``top``."""
    low, high = activation_limits(activation, bits)
    return fake_quantize(x, top / high, low, high, 1.0 / math.sqrt(elements * high))
