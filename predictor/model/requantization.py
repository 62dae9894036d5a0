"""Fixed-point parameters of quantised operators, as TFLite's kernels compute them from scales.

Mirrors kernels/internal/quantization_util.cc and ``CalculateActivationRangeQuantized`` of
kernels/kernel_util.cc. Scales are 32-bit floats, products of them doubles unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, frexp

from predictor.model.floating import quotient, single
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
    input_scale, output_scale = single(input_scale), single(output_scale)
    factors = [quotient(input_scale * single(scale), output_scale) for scale in filter_scales]
    return factors * channels if len(factors) == 1 else factors


def single_factor(input_scale: float, filter_scale: float, output_scale: float) -> float:
    """The factor of weights with one scale in FULLY_CONNECTED.

    Mirrors ``GetQuantizedConvolutionMultipler``, which multiplies the first two as floats.
    """
    product = single(single(input_scale) * single(filter_scale))
    return quotient(product, single(output_scale))


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
        steps = single(quotient(real, single(output.scale)))
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
    scaled = single(beta) * single(input_scale) * _SOFTMAX_FRACTION
    multiplier, shift = quantize_multiplier(min(scaled, _ONE - 1.0))
    radius = ((1 << _SOFTMAX_INTEGER_BITS) - 1) * _SOFTMAX_FRACTION / (1 << shift)
    return multiplier, shift, -floor(radius)
