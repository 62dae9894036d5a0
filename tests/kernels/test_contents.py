"""No weight content is slow: any shift, bias, filter and zero point costs what ordinary ones do."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.calls import Layer, run
from kernels.emulated import EmulatedLibrary
from predictor.model.device.packing import pack
from tests.kernels import random_layers
from tests.kernels.golden import GOLDEN
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS, bounds

LARGEST_RATIO = 1.1
LARGEST_RATIO_OF_FEW_TAPS = 1.15
FEW_TAPS = 3
"""Depthwise layers of so few taps do little but requantise."""
LAYERS = 26
"""Of each operator and pair of types: 312 in all."""
INT32 = (-(1 << 31), (1 << 31) - 1)


def largest_ratio(operator: str, layer: Layer) -> float:
    """What unusual contents may cost."""
    is_tiny = operator == "depthwise" and int(np.prod(layer.filter_dims[1:3])) <= FEW_TAPS
    return LARGEST_RATIO_OF_FEW_TAPS if is_tiny else LARGEST_RATIO


def plain(layer: Layer) -> Layer:
    """The layer with an ordinary right shift and small biases."""
    bias = None if layer.bias is None else np.full_like(layer.bias, 100)
    return layer.moved(
        multiplier=np.full_like(layer.multiplier, 1_518_500_250),
        shift=np.full_like(layer.shift, -9),
        bias=bias,
        input_offset=0,
        output_offset=0,
    )


def unusual(rng: np.random.Generator, layer: Layer) -> Layer:
    """The layer with rare contents of all kinds at once."""
    count = layer.shift.size
    one = int(rng.integers(-31, 31))
    low, high = [(-31, 30), (0, 30), (-31, -21), (-2, 1), (one, one)][rng.integers(5)]
    multiplier = rng.integers(1 << 30, 1 << 31, count)
    multiplier[rng.random(count) < 0.2] = 0
    multiplier[rng.random(count) < 0.2] = (1 << 31) - 1
    filter = layer.filter.copy()
    if rng.random() < 0.5:
        parts = np.array_split(filter, max(1, layer.filter_dims[0]))
        for part in parts:
            part *= rng.random() < 0.5
    bias = layer.bias
    if bias is not None:
        bias = rng.integers(*INT32, bias.size, endpoint=True).astype(np.int32)
        bias[rng.random(bias.size) < 0.3] = rng.choice([*INT32, 1 << 29, -(1 << 30)])
    ends = bounds(layer.activations)
    return layer.moved(
        multiplier=multiplier.astype(np.int32),
        shift=rng.integers(low, high + 1, count).astype(np.int32),
        bias=bias,
        filter=filter,
        input_offset=-int(rng.choice(ends)),
        output_offset=int(rng.choice(ends)),
    )


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_no_cliff(
    emulated: dict[str, EmulatedLibrary], operator: str, bit_widths: tuple[int, int]
) -> None:
    """Instructions of unusual contents beside those of plain ones, and the results."""
    rng = np.random.default_rng([7, *bit_widths])
    core = emulated["cortex-m4"]
    for _ in range(LAYERS):
        ordinary, data = random_layers.layer(rng, operator, bit_widths, None)
        layer = unusual(rng, ordinary)
        run(core, operator, plain(layer), data)
        usual = core.instructions
        found = run(core, operator, layer, data)
        ratio = core.instructions / usual
        assert ratio <= largest_ratio(operator, layer), (ratio, layer.shift, layer)
        expected = pack(GOLDEN[operator](layer, data), bit_widths[0])
        np.testing.assert_array_equal(found, expected, err_msg=str(layer))


def few_inputs(operator: str, taps: int, inputs: int, outputs: int) -> Layer:
    """Layers in which the ends of rows weigh most."""
    rows = outputs if operator != "depthwise" else inputs
    filter_dims = (rows, 1, taps, inputs) if operator == "convolve" else (1, 1, taps, rows)
    if operator == "fully_connected":
        filter_dims = (rows, 1, 1, inputs)
    positions = 1 if operator == "fully_connected" else 40
    return Layer(
        activations=8,
        weights=8,
        input_dims=(1, 1, positions, inputs),
        filter_dims=filter_dims,
        output_dims=(1, 1, positions, rows),
        filter=np.ones(int(np.prod(filter_dims)), np.int8),
        bias=np.zeros(rows, np.int32),
        multiplier=np.zeros(rows, np.int32),
        shift=np.zeros(rows, np.int32),
        input_offset=0,
        output_offset=0,
        activation=(-128, 127),
        padding=(0, taps // 2),
    )


@pytest.mark.parametrize(
    ("operator", "taps", "inputs", "outputs"),
    [
        ("convolve", 1, 4, 96),
        ("convolve", 1, 8, 64),
        ("depthwise", 9, 64, 64),
        ("depthwise", 3, 64, 64),
        ("depthwise", 1, 64, 64),
        ("fully_connected", 1, 8, 96),
        ("fully_connected", 1, 64, 31),
    ],
)
def test_no_cliff_where_rows_are_short(
    emulated: dict[str, EmulatedLibrary], operator: str, taps: int, inputs: int, outputs: int
) -> None:
    """The same for layers that do little but requantise."""
    rng = np.random.default_rng(8)
    core = emulated["cortex-m4"]
    layer = few_inputs(operator, taps, inputs, outputs)
    data = rng.integers(-128, 128, int(np.prod(layer.input_dims))).astype(np.int8)
    run(core, operator, plain(layer), data)
    usual = core.instructions
    for _ in range(6):
        run(core, operator, unusual(rng, layer), data)
        assert core.instructions <= largest_ratio(operator, layer) * usual
