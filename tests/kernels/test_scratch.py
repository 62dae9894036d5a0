"""The predictor's scratch bytes are what the kernels' buffer size functions return."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.binding import NativeLibrary
from kernels.calls import buffer_bytes
from predictor.operators.mn.scratch import scratch_bytes
from tests.kernels import random_layers
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS


@pytest.mark.parametrize("bits", BIT_WIDTHS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_scratch_bytes(host: NativeLibrary, operator: str, bits: tuple[int, int]) -> None:
    """Every residue of channels, all windows."""
    rng = np.random.default_rng(7)
    for channels in (*range(1, 34), *[None] * 200):
        layer, _ = random_layers.layer(rng, operator, bits, channels)
        for item in random_layers.forms(operator, layer):
            options = random_layers.options_of(operator, item)
            assert scratch_bytes(options) == buffer_bytes(host, operator, item)
