"""Checks that kernels make while they turn scales into fixed-point multipliers.

Mirrors kernels/internal/quantization_util.cc and ``CalculateActivationRangeQuantized`` of
kernels/kernel_util.cc. ``QuantizeMultiplier`` itself never fails, not even on infinity or NaN.
"""

from __future__ import annotations

import numpy as np

from predictor.model.graph import Tensor
from predictor.operators.context import NodeContext
from predictor.operators.parsing import (
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU6,
    ACTIVATION_RELU_N1_TO_1,
)
from predictor.operators.quantized import QUANTIZED_TYPES, scale

_BOUNDS = {
    ACTIVATION_RELU: (0.0,),
    ACTIVATION_RELU_N1_TO_1: (-1.0, 1.0),
    ACTIVATION_RELU6: (0.0, 6.0),
}
_INT32_LIMIT = 2.0**31
_ROUNDS_TO_ONE = 1.0 - 2.0**-32
"""Multipliers from here on round up to 1.0 in 31 bits."""


def check_activation_range(ctx: NodeContext, activation: int, output: Tensor) -> None:
    """Mirrors ``CalculateActivationRangeQuantized``: the bounds must fit 32 bits when quantised.

    An output without quantisation has scale 0, for which no bound fits.
    """
    ctx.ensure(
        output.type in QUANTIZED_TYPES,
        f"its activation range is not defined for {output.type.name} outputs",
    )
    for bound in _BOUNDS.get(activation, ()):
        with np.errstate(all="ignore"):
            steps = float(np.float32(bound) / np.float32(scale(output)))
        ctx.ensure(
            -_INT32_LIMIT <= steps <= _INT32_LIMIT,
            f"the output's scale {scale(output):g} cannot express the bound {bound:g} of the fused "
            "activation",
        )


def check_below_one(ctx: NodeContext, multiplier: float, what: str) -> None:
    """Mirrors ``QuantizeMultiplierSmallerThanOneExp``, which aborts outside ]0, 1[."""
    ctx.ensure(
        0.0 < multiplier < _ROUNDS_TO_ONE,
        f"TFLM aborts: {what} is {multiplier:g} and must lie between 0 and 1",
    )


def check_accumulation(ctx: NodeContext, input: Tensor, output: Tensor, left_shift: int) -> None:
    """Mirrors the rescaling of kernels that add up int8 values of one scale (ADD_N, CUMSUM)."""
    with np.errstate(all="ignore"):
        twice = np.float64(2) * np.float64(scale(input))
        in_multiplier = np.float64(scale(input)) / twice
        out_multiplier = twice / (np.float64(1 << left_shift) * np.float64(scale(output)))
    check_below_one(ctx, float(in_multiplier), "the multiplier for the scale of the input")
    check_below_one(ctx, float(out_multiplier), "the multiplier from input to output scale")
    check_activation_range(ctx, ACTIVATION_NONE, output)


def rounded_log2(value: float) -> int | None:
    """``CheckedLog2``: the exponent of a value within 0.1 % of a power of two, else None."""
    with np.errstate(all="ignore"):
        log2 = np.log(np.float32(value)) * (np.float32(1) / np.log(np.float32(2)))
        rounded = np.round(log2)
        if not abs(log2 - rounded) < np.float32(1e-3):
            return None
    return int(rounded)


def exponent_of(value: float) -> int:
    """The shift of ``QuantizeMultiplier``; 0 for 0, infinity and NaN."""
    if not np.isfinite(value) or value == 0.0:
        return 0
    fraction, exponent = np.frexp(np.float64(value))
    shift = int(exponent) + (abs(fraction) >= _ROUNDS_TO_ONE)
    return shift if shift >= -31 else 0
