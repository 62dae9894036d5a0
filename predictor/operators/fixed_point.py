"""Checks that kernels make while they turn scales into fixed-point multipliers.

Mirrors kernels/internal/quantization_util.cc and ``CalculateActivationRangeQuantized`` of
kernels/kernel_util.cc. ``QuantizeMultiplier`` itself never fails, not even on infinity or NaN.
"""

from __future__ import annotations

from math import frexp, isfinite, log

from predictor.model.floating import quotient, single
from predictor.model.graph import Tensor
from predictor.operators.context import NodeContext
from predictor.operators.parsing import (
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU6,
    ACTIVATION_RELU_N1_TO_1,
)
from predictor.operators.quantized import QUANTIZED_TYPES, scale

ACTIVATION_BOUNDS = {
    ACTIVATION_RELU: (0.0,),
    ACTIVATION_RELU_N1_TO_1: (-1.0, 1.0),
    ACTIVATION_RELU6: (0.0, 6.0),
}
"""Real values at which a fused activation clamps."""
_INT32_LIMIT = 2.0**31
_ROUNDS_TO_ONE = 1.0 - 2.0**-32
"""Multipliers from here on round up to 1.0 in 31 bits."""


def check_activation_range(ctx: NodeContext, activation: int, output: Tensor) -> None:
    """Mirrors ``CalculateActivationRangeQuantized``: the bounds must fit 32 bits when quantised.

    An output without quantisation has scale 0, for which no bound fits.
    """
    if output.type not in QUANTIZED_TYPES:
        ctx.refuse(f"its activation range is not defined for {output.type.name} outputs")
    for bound in ACTIVATION_BOUNDS.get(activation, ()):
        steps = single(quotient(bound, single(scale(output))))
        if not -_INT32_LIMIT <= steps <= _INT32_LIMIT:
            ctx.refuse(
                f"the output's scale {scale(output):g} cannot express the bound {bound:g} of the "
                "fused activation"
            )


def check_below_one(ctx: NodeContext, multiplier: float, what: str) -> None:
    """Mirrors ``QuantizeMultiplierSmallerThanOneExp``, which aborts outside ]0, 1[."""
    ctx.ensure(
        0.0 < multiplier < _ROUNDS_TO_ONE,
        f"TFLM aborts: {what} is {multiplier:g} and must lie between 0 and 1",
    )


def check_accumulation(ctx: NodeContext, input: Tensor, output: Tensor, left_shift: int) -> None:
    """Mirrors the rescaling of kernels that add up int8 values of one scale (ADD_N, CUMSUM)."""
    twice = 2 * scale(input)
    in_multiplier = quotient(scale(input), twice)
    out_multiplier = quotient(twice, (1 << left_shift) * scale(output))
    check_below_one(ctx, in_multiplier, "the multiplier for the scale of the input")
    check_below_one(ctx, out_multiplier, "the multiplier from input to output scale")
    check_activation_range(ctx, ACTIVATION_NONE, output)


def rounded_log2(value: float) -> int | None:
    """``CheckedLog2``: the exponent of a value within 0.1 % of a power of two, else None."""
    value = single(value)
    if not (value > 0 and isfinite(value)):
        return None
    log2 = single(single(log(value)) * single(1 / single(log(2))))
    rounded = round(log2)
    return rounded if abs(single(log2 - rounded)) < single(1e-3) else None


def exponent_of(value: float) -> int:
    """The shift of ``QuantizeMultiplier``; 0 for 0, infinity and NaN."""
    if not isfinite(value) or value == 0.0:
        return 0
    fraction, exponent = frexp(value)
    shift = exponent + (abs(fraction) >= _ROUNDS_TO_ONE)
    return shift if shift >= -31 else 0
