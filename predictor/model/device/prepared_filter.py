"""Prepared filters: what the depthwise kernels make of filter and bias, made ahead.

The kernels widen a depthwise filter to int16 in scratch and fold the input offset into the bias,
once for each call. A prepared filter is the result as a constant of the device model, so that the
scratch buffer needs neither; its layout is that of the _w16 kernels in
``kernels/include/mn_convolutions.h``.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from predictor.errors import ModelError
from predictor.model.device.options import PREPARED_BITS, WeightedOptions

Weights = npt.NDArray[np.int8]
"""[taps, channels]"""
_LANES = 4
_PAIRED = (0, 2, 1, 3)
"""Lanes in the order in which their weights are stored."""
_NIBBLE_BIAS = 8
"""The kernels unpack int4 inputs with their sign bits flipped: 8 too large."""


def prepare_filter(
    options: WeightedOptions, weights: Weights, bias: npt.NDArray[np.int32] | None
) -> bytes:
    """The prepared filter of a depthwise layer.

    Args:
        options: of the layer; only dims, channel multiplier, input bits and offset matter.
        weights: one for each tap and channel.
        bias: one for each channel; None: zeros.
    """
    channels = _channels(options)
    lanes = np.where(channels < 0, 0, channels)
    offset = options.input_offset - (_NIBBLE_BIAS if options.input_bits == 4 else 0)
    folded = np.zeros(options.filter_dims[3], np.int64) if bias is None else bias.astype(np.int64)
    folded = folded + offset * weights.astype(np.int64).sum(0)
    biases = np.where(channels < 0, 0, folded[lanes]).astype(np.uint32)
    widened = np.where(channels < 0, 0, weights[:, lanes]).astype("<i2")
    by_quad = widened.transpose(1, 0, 2)[:, :, _PAIRED]
    return biases.astype("<u4").tobytes() + by_quad.tobytes()


def filter_weights(options: WeightedOptions, prepared: bytes | memoryview) -> Weights:
    """The weights of a prepared filter.

    Raises:
        ModelError: its size is not that of the layer's, or weights are no int8.
    """
    channels = _channels(options)
    taps = prod(options.filter_dims[1:3])
    if len(prepared) != options.tensor_bytes[1]:
        raise ModelError(
            f"a prepared filter has {len(prepared)} bytes instead of {options.tensor_bytes[1]}"
        )
    stored = np.frombuffer(prepared, "<i2", offset=4 * channels.size)
    widened = stored.reshape(len(channels), taps, _LANES)[:, :, np.argsort(_PAIRED)]
    weights = np.zeros((taps, options.filter_dims[3]), np.int16)
    is_held = channels >= 0
    weights[:, channels[is_held]] = widened.transpose(1, 0, 2)[:, is_held]
    if np.any(weights != weights.astype(np.int8)):
        raise ModelError("a prepared filter has weights that are no int8")
    return weights.astype(np.int8)


def _channels(options: WeightedOptions) -> npt.NDArray[np.intp]:
    """The channel of each lane of each quad, -1 for none: [quads, 4]."""
    if options.operator != "DEPTHWISE_CONV_2D":
        raise ValueError(f"{options.operator} has no filter of {PREPARED_BITS} bits")
    count = options.filter_dims[3]
    first = np.arange(0, count, _LANES)
    if options.channel_multiplier == 1 and count >= _LANES:
        first = np.minimum(first, count - _LANES)
    found = first[:, None] + np.arange(_LANES)
    return np.where(found < count, found, -1)
