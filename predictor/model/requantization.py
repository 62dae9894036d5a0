"""Fixed-point parameters of quantised operators, as TFLite's kernels compute them from scales.

Mirrors kernels/internal/quantization_util.cc and ``CalculateActivationRangeQuantized`` of
kernels/kernel_util.cc. Scales are 32-bit floats, products of them doubles unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, frexp

import numpy as np

from predictor.model.graph import Quantization

Multiplier = tuple[int, int]
"""(multiplier, shift) of a factor multiplier x 2^(shift - 31), as QuantizeMultiplier makes them."""
Range = tuple[int, int]
"""Lowest and highest quantised value, both inclusive."""

_ONE = 1 << 31
_LEAST_SHIFT = -31
_ACTIVATION_BOUNDS = {1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Real values at which the schema's fused activation functions clamp."""
_SOFTMAX_INTEGER_BITS = 5
_SOFTMAX_FRACTION = 1 << (31 - _SOFTMAX_INTEGER_BITS)


def type_range(bits: int) -> Range:
    """What a signed type of so many bits holds."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def quantize_multiplier(factor: float) -> Multiplier:
    """Mirrors ``QuantizeMultiplier`` for a finite factor from 0 on."""
    fraction, exponent = frexp(factor)
    multiplier = floor(fraction * _ONE + 0.5)
    if multiplier == _ONE:
        multiplier, exponent = _ONE // 2, exponent + 1
    return (multiplier, exponent) if multiplier and exponent >= _LEAST_SHIFT else (0, 0)


def convolution_factors(
    input_scale: float, filter_scales: Sequence[float], output_scale: float, channels: int
) -> list[float]:
    """One factor for each output channel. Mirrors ``PopulateConvolutionQuantizationParams``."""
    scales = np.array(filter_scales, np.float32).astype(np.float64)
    factors = np.float64(np.float32(input_scale)) * scales / np.float64(np.float32(output_scale))
    return [float(factor) for factor in np.broadcast_to(factors, channels)]


def single_factor(input_scale: float, filter_scale: float, output_scale: float) -> float:
    """The factor of weights with one scale in FULLY_CONNECTED.

    Mirrors ``GetQuantizedConvolutionMultipler``, which multiplies the first two as floats.
    """
    with np.errstate(over="ignore", under="ignore"):
        product = np.float32(input_scale) * np.float32(filter_scale)
    return float(np.float64(product) / np.float64(np.float32(output_scale)))


def activation_range(function: int, output: Quantization, bits: int) -> Range:
    """Mirrors ``CalculateActivationRangeQuantized`` for signed types.

    Args:
        function: the schema's fused activation; one without bounds leaves the type's range.

    Raises:
        OverflowError: the output's scale is too small to express a bound.
    """
    lowest, highest = type_range(bits)
    low, high = _ACTIVATION_BOUNDS.get(function, (None, None))

    def quantized(real: float) -> int:
        with np.errstate(over="ignore"):
            steps = float(np.float32(real) / np.float32(output.scale))
        return output.zero_point + floor(abs(steps) + 0.5) * (1 if steps >= 0 else -1)

    return (
        lowest if low is None else max(lowest, quantized(low)),
        highest if high is None else min(highest, quantized(high)),
    )


def softmax_scaling(beta: float, input_scale: float) -> tuple[int, int, int]:
    """(multiplier, left shift, diff_min) of SOFTMAX.

    Mirrors ``PreprocessSoftmaxScaling`` and ``CalculateInputRadius``; beta x scale must exceed
    2^-26.
    """
    scaled = float(np.float32(beta)) * float(np.float32(input_scale)) * _SOFTMAX_FRACTION
    multiplier, shift = quantize_multiplier(min(scaled, _ONE - 1.0))
    radius = ((1 << _SOFTMAX_INTEGER_BITS) - 1) * _SOFTMAX_FRACTION / (1 << shift)
    return multiplier, shift, -floor(radius)
