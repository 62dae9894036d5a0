"""The fixed-point functions of which TFLite's int8 activations are made, to the bit.

Mirrors fixedpoint.h of gemmlowp (google/gemmlowp) for 32 bits. A raw value with n integer bits
stands for raw / 2^(31 - n).
"""

from __future__ import annotations

_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1
_ONE = _HIGHEST
"""1 without integer bits, which cannot hold it."""
_ONE_2 = 1 << 29
"""1 with 2 integer bits."""
_EXPONENTIALS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""exp(-2^n) without integer bits, by n."""


def doubling_high_mul(first: int, second: int, bits: int = 32) -> int:
    """Mirrors ``SaturatingRoundingDoublingHighMul``."""
    if first == second == -(1 << (bits - 1)):
        return (1 << (bits - 1)) - 1
    product = first * second
    nudge = (1 << (bits - 2)) if product >= 0 else 1 - (1 << (bits - 2))
    return truncated(product + nudge, 1 << (bits - 1))


def divide_by_power_of_two(value: int, exponent: int) -> int:
    """Mirrors ``RoundingDivideByPOT``: half away from zero."""
    half = (1 << exponent) >> 1
    return (value + half) >> exponent if value >= 0 else -((half - value) >> exponent)


def requantized(value: int, multiplier: int, shift: int) -> int:
    """Mirrors ``MultiplyByQuantizedMultiplier`` with two roundings."""
    high = doubling_high_mul(value << max(shift, 0), multiplier)
    return divide_by_power_of_two(high, max(-shift, 0))


def logistic(value: int, integer_bits: int) -> int:
    """1 / (1 + exp(-value)), without integer bits."""
    if not value:
        return 1 << 30
    positive = _one_over_one_plus(_exponential(-abs(value), integer_bits))
    return positive if value > 0 else _ONE - positive


def tanh(value: int, integer_bits: int) -> int:
    """The hyperbolic tangent, without integer bits."""
    if not value:
        return 0
    # Twice the value has the same bits with one integer bit more.
    negative = _one_minus_over_one_plus(_exponential(-abs(value), integer_bits + 1))
    return negative if value > 0 else -negative


def truncated(numerator: int, denominator: int) -> int:
    """A quotient rounded towards zero, as C's."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def _shifted_left(value: int, exponent: int) -> int:
    """A saturating multiplication by a power of two."""
    return min(max(value << exponent, _LOWEST), _HIGHEST)


def _exponential(value: int, integer_bits: int) -> int:
    """exp of a value <= 0. Mirrors ``exp_on_negative_values``."""
    if not value:
        return _ONE
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    within = (value & (quarter - 1)) - quarter
    result = _exponential_within_quarter(_shifted_left(within, integer_bits))
    remainder = within - value
    for exponent, factor in _EXPONENTIALS:
        if integer_bits > exponent and remainder & (1 << (fraction_bits + exponent)):
            result = doubling_high_mul(result, factor)
    return result


def _exponential_within_quarter(value: int) -> int:
    """exp of a value from -1/4 to 0, by a polynomial around -1/8."""
    x = value + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    third = doubling_high_mul(divide_by_power_of_two(x4, 2) + x3, 715827883)
    terms = divide_by_power_of_two(third + x2, 1)
    constant = 1895147668
    return constant + doubling_high_mul(constant, x + terms)


def _reciprocal(value: int) -> int:
    """2 / (1 + value), 0 <= value < 1, with 2 integer bits, by Newton and Raphson's method."""
    total = value + _ONE
    half_denominator = truncated(total + (1 if total >= 0 else -1), 2)
    x = 1515870810 + doubling_high_mul(half_denominator, -1010580540)
    for _ in range(3):
        error = _ONE_2 - doubling_high_mul(half_denominator, x)
        x += _shifted_left(doubling_high_mul(x, error), 2)
    return x


def _one_over_one_plus(value: int) -> int:
    return _shifted_left(_reciprocal(value), 1)


def _one_minus_over_one_plus(value: int) -> int:
    return _shifted_left(_reciprocal(value) - _ONE_2, 2)
