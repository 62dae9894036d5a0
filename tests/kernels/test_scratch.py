"""The predictor's scratch bytes are what the kernels' buffer size functions return."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.binding import NativeLibrary
from kernels.calls import Layer, buffer_bytes
from predictor.model.device_options import Tables, WeightedOptions
from predictor.operators.ours.scratch import scratch_bytes
from tests.kernels import random_layers
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS

NAMES = {
    "convolve": "CONV_2D",
    "depthwise": "DEPTHWISE_CONV_2D",
    "fully_connected": "FULLY_CONNECTED",
}


def _options(operator: str, layer: Layer) -> WeightedOptions:
    input_dims, filter_dims = layer.input_dims, layer.filter_dims
    if operator == "fully_connected":
        depth = int(np.prod(input_dims[1:]))
        input_dims, filter_dims = (input_dims[0], 1, 1, depth), (filter_dims[0], 1, 1, depth)
    return WeightedOptions(
        NAMES[operator],
        layer.activations,
        layer.weights,
        input_dims,
        filter_dims,
        layer.output_dims,
        layer.input_offset,
        layer.output_offset,
        layer.activation,
        Tables((), ()),
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.multiplier_of_channels,
    )


@pytest.mark.parametrize("bits", BIT_WIDTHS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_scratch_bytes(host: NativeLibrary, operator: str, bits: tuple[int, int]) -> None:
    """Every residue of channels, all windows."""
    rng = np.random.default_rng(7)
    for channels in (*range(1, 34), *[None] * 200):
        layer, _ = random_layers.layer(rng, operator, bits, channels)
        assert scratch_bytes(_options(operator, layer)) == buffer_bytes(host, operator, layer)
