"""What a kernel's constants are like, as far as its loops depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from predictor.model.device.options import PREPARED_BITS, WeightedOptions, packed_bytes
from predictor.model.device.packing import unpack
from predictor.model.graph import Operator, Subgraph
from predictor.operators.quantized import INT32_BYTES

_LANES = 4
_NIBBLE_BIAS = 8
"""What int4 inputs are too large by when a depthwise kernel has unpacked them."""
_LEAST_PLAIN_SHIFT = -20
"""Down to this shift plain lanes of a depthwise layer take any sum."""
_LARGE_BIAS = 1 << 29
_MANY_TAPS = 1 << 14


@dataclass(frozen=True, slots=True)
class Contents:
    """``is_plain``: the lanes of a depthwise layer are requantised without a look at their shifts
    (``mn_are_plain``)."""

    has_bias: bool
    is_plain: bool


ORDINARY = Contents(has_bias=True, is_plain=True)


def left_of(shifts: Sequence[int]) -> int:
    """How many shift to the left."""
    return sum(shift >= 0 for shift in shifts)


def right_1_of(shifts: Sequence[int]) -> int:
    """How many shift to the right by 1."""
    return sum(shift == -1 for shift in shifts)


def contents_of(
    subgraph: Subgraph, op: Operator, options: WeightedOptions, at: tuple[int, int] = (1, 2)
) -> Contents:
    """Of an operator with weights, or of a layer whose filter and bias are at these inputs."""
    filter = subgraph.tensors[op.inputs[at[0]]].data
    has_bias = 0 < at[1] < len(op.inputs) and op.inputs[at[1]] >= 0
    bias = subgraph.tensors[op.inputs[at[1]]].data if has_bias else None
    is_plain = True
    if options.operator == "DEPTHWISE_CONV_2D":
        shifts = options.tables.shifts
        is_plain = max(shifts) < 0
        if is_plain and min(shifts) < _LEAST_PLAIN_SHIFT:
            is_plain = prod(options.filter_dims[1:3]) <= _MANY_TAPS and _has_small_biases(
                options, filter, bias
            )
    return Contents(has_bias, is_plain)


def _has_small_biases(
    options: WeightedOptions, filter: memoryview | None, bias: memoryview | None
) -> bool:
    """Whether all biases that the kernel starts sums with, the input offset in them, are small.

    So they are taken to be where the constants are not there, or too short for the options.
    """
    channels, is_prepared = options.filter_dims[3], options.weight_bits == PREPARED_BITS
    lanes = -(-channels // _LANES) * _LANES
    weights_bytes = packed_bytes(prod(options.filter_dims), options.weight_bits)
    least = INT32_BYTES * lanes if is_prepared else weights_bytes
    if filter is None or len(filter) < least:
        return True
    if bias is not None and len(bias) < INT32_BYTES * channels:
        return True
    if is_prepared:
        starts = np.frombuffer(filter, "<i4", lanes).astype(np.int64)
    else:
        weights = unpack(filter, prod(options.filter_dims), options.weight_bits)
        offset = options.input_offset - (_NIBBLE_BIAS if options.input_bits == 4 else 0)
        starts = offset * weights.reshape(-1, channels).astype(np.int64).sum(0)
        if bias is not None:
            starts = starts + np.frombuffer(bias, "<i4", channels)
    return bool(np.all(np.abs(starts) < _LARGE_BIAS))
