"""Tables of the activation functions from int8 to int8, to the bit as TFLM computes them.

Each mirrors Prepare and Eval of its file in micro/kernels (logistic.cc, tanh.cc, hard_swish.cc,
leaky_relu.cc, activations.cc) for all values that an input can have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor, frexp, isfinite
from types import MappingProxyType

from predictor.model.device.fixed_point import (
    divide_by_power_of_two,
    doubling_high_mul,
    logistic,
    requantized,
    tanh,
    truncated,
)
from predictor.model.device.node import LayerNode
from predictor.model.floating import quotient, single
from predictor.model.graph import Quantization
from predictor.model.requantization import Multiplier

_LOW, _HIGH = -128, 127
_INTEGER_BITS = 4
"""Of the fixed-point inputs of LOGISTIC and TANH."""
_MOST_SHIFT = 22
_MOST_SHIFT_OF_16_BITS = 15

_Function = Callable[[int], int]


def activation_table(node: LayerNode) -> bytes:
    """The operator's output for each int8 input: from 0 to 127, then from -128 to -1.

    Raises:
        RefusedError: TFLM refuses it, or it is none of ``ACTIVATIONS``.
    """
    make = ACTIVATIONS.get(node.op.name)
    if make is None:
        node.refuse("it is no activation function")
    function = make(node, node.activations(node.input(0)), node.activations(node.output()))
    return bytes(_limited(function(value)) & 255 for value in (*range(128), *range(_LOW, 0)))


def _limited(value: int) -> int:
    return min(max(value, _LOW), _HIGH)


def _scaled_input(node: LayerNode, scale: float) -> tuple[int, int, int]:
    """(multiplier, shift, radius) of inputs with 4 integer bits."""
    fraction, shift = frexp(single(scale) * (1 << (31 - _INTEGER_BITS)))
    multiplier = floor(fraction * (1 << 31) + 0.5)
    node.ensure(
        multiplier < 1 << 31 and 0 <= shift <= 30,
        f"the scale {scale:g} of its input is too extreme",
    )
    radius = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) >> shift
    return multiplier, shift, radius


def _saturating(
    function: Callable[[int, int], int], scaling: tuple[int, int, int], zero_point: int
) -> _Function:
    multiplier, shift, radius = scaling

    def value_of(value: int) -> int:
        centred = value - zero_point
        if abs(centred) >= radius:
            return _HIGH if centred > 0 else _LOW
        return function(requantized(centred, multiplier, shift), _INTEGER_BITS)

    return value_of


def _logistic(node: LayerNode, source: Quantization, target: Quantization) -> _Function:
    node.ensure(target.zero_point == _LOW, f"the output has the zero point {target.zero_point}")
    return _saturating(
        lambda value, bits: divide_by_power_of_two(logistic(value, bits), 23) + _LOW,
        _scaled_input(node, source.scale),
        source.zero_point,
    )


def _tanh(node: LayerNode, source: Quantization, _: Quantization) -> _Function:
    return _saturating(
        lambda value, bits: divide_by_power_of_two(tanh(value, bits), 24),
        _scaled_input(node, source.scale),
        source.zero_point,
    )


def _leaky_relu(node: LayerNode, source: Quantization, target: Quantization) -> _Function:
    alpha = single(float(node.op.options_in("LeakyReluOptions").get("alpha", 0.0)))
    node.ensure(alpha >= 0, f"alpha is {alpha:g}; the kernel takes none below 0")
    scales = single(source.scale), single(target.scale)
    negative = _factor(node, quotient(single(scales[0] * alpha), scales[1]))
    positive = _factor(node, quotient(*scales))

    def value_of(value: int) -> int:
        centred = value - source.zero_point
        pair = positive if centred >= 0 else negative
        return target.zero_point + requantized(centred, *pair)

    return value_of


def _factor(node: LayerNode, exact: float) -> Multiplier:
    """A factor in single precision whose product with any difference of int8 fits 32 bits."""
    multiplier, shift = node.multiplier(single(exact))
    node.ensure(shift <= _MOST_SHIFT, f"the factor {exact:g} from input to output is too large")
    return multiplier, shift


def _relu(node: LayerNode, source: Quantization, target: Quantization) -> _Function:
    pair = _factor(node, quotient(single(source.scale), single(target.scale)))
    lowest = target.zero_point
    return lambda value: max(lowest, lowest + requantized(value - source.zero_point, *pair))


def _relu6(node: LayerNode, source: Quantization, _: Quantization) -> _Function:
    steps = single(quotient(6.0, single(source.scale)))
    node.ensure(isfinite(steps), f"the scale {source.scale:g} of its input is too extreme")
    six = min(floor(steps + 0.5) + source.zero_point, _HIGH)
    return lambda value: min(max(value, source.zero_point), six)


def _hard_swish(node: LayerNode, source: Quantization, target: Quantization) -> _Function:
    fine_scale = single(single(source.scale) / 128)
    output = node.multiplier(single(quotient(fine_scale, single(target.scale))))
    gate = node.multiplier(single(quotient(fine_scale, single(3 / 32768))))
    least = -_MOST_SHIFT_OF_16_BITS
    node.ensure(least <= output[1] <= 0 and least <= gate[1], "its scales are too far apart")
    output_multiplier, gate_multiplier = _of_16_bits(output[0]), _of_16_bits(gate[0])

    def value_of(value: int) -> int:
        fine = (value - source.zero_point) * 128
        scaled = doubling_high_mul(fine, output_multiplier, 16)
        gated = _shifted(fine, gate[1] - 1) if gate[1] > 0 else fine
        gated = doubling_high_mul(gated, gate_multiplier, 16)
        gated = _shifted(gated, 1) if gate[1] > 0 else divide_by_power_of_two(gated, -gate[1])
        product = truncated(((gated + (1 << 15)) >> 1) * scaled, 1 << 15)
        return divide_by_power_of_two(product, -output[1]) + target.zero_point

    return value_of


def _of_16_bits(multiplier: int) -> int:
    """Mirrors ``DownScaleInt32ToInt16Multiplier``."""
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _shifted(value: int, exponent: int) -> int:
    """Mirrors ``SaturatingLeftShift``."""
    return min(max(value << exponent, -(1 << 15)), (1 << 15) - 1)


ACTIVATIONS: Mapping[str, Callable[[LayerNode, Quantization, Quantization], _Function]] = (
    MappingProxyType(
        {
            "HARD_SWISH": _hard_swish,
            "LEAKY_RELU": _leaky_relu,
            "LOGISTIC": _logistic,
            "RELU": _relu,
            "RELU6": _relu6,
            "TANH": _tanh,
        }
    )
)
"""Operators whose kernel is a table, each with what makes its function."""
