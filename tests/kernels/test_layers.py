"""Convolution, depthwise convolution and fully connected: numpy, C reference, host, M4 and M7."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.binding import Library, NativeLibrary
from kernels.calls import Layer, run, run_reference
from predictor.model.device.packing import pack
from tests.kernels import random_layers
from tests.kernels.golden import GOLDEN
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS


def _check(
    libraries: dict[str, Library],
    host: NativeLibrary,
    operator: str,
    layer: Layer,
    data: np.ndarray,
) -> None:
    expected = pack(GOLDEN[operator](layer, data), layer.activations)
    np.testing.assert_array_equal(run_reference(host, operator, layer, data), expected)
    for name, library in libraries.items():
        for form in random_layers.forms(operator, layer):
            found = run(library, operator, form, data)
            np.testing.assert_array_equal(found, expected, err_msg=f"{name}: {form}")


def _in_turn(libraries: dict[str, Library], turn: int) -> dict[str, Library]:
    """The host's library and one of the emulated cores, which run the same source: each layer takes
    one of them, and what is tested about a layer comes often enough for all."""
    cores = [name for name in libraries if name != "host"]
    return {
        name: library
        for name, library in libraries.items()
        if name == "host" or name == cores[turn % len(cores)]
    }


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_channel_residue(
    libraries: dict[str, Library], host: NativeLibrary, operator: str, bit_widths: tuple[int, int]
) -> None:
    """Channels 1 to 40: every residue modulo 8, below, at and above a group, on each core."""
    rng = np.random.default_rng(1)
    for channels in range(1, 41):
        layer, data = random_layers.layer(rng, operator, bit_widths, channels)
        _check(_in_turn(libraries, (channels - 1) // 8), host, operator, layer, data)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_random_layers(
    libraries: dict[str, Library],
    host: NativeLibrary,
    operator: str,
    bit_widths: tuple[int, int],
    seed: int,
) -> None:
    """Strides, paddings, dilations, groups, multipliers of channels, extreme zero points."""
    rng = np.random.default_rng([2, seed])
    for turn in range(12):
        layer, data = random_layers.layer(rng, operator, bit_widths, None)
        _check(_in_turn(libraries, turn), host, operator, layer, data)


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_bias_and_shift_extremes(
    libraries: dict[str, Library], host: NativeLibrary, operator: str, bit_widths: tuple[int, int]
) -> None:
    """Every shift from -31 to 30, one a layer and all in one, with biases over the int32 range."""
    rng = np.random.default_rng(3)
    for turn, shift in enumerate((*range(-31, 31), None)):
        layer, data = random_layers.layer(rng, operator, bit_widths, 9)
        count = layer.shift.size
        shifts = rng.integers(-31, 31, count) if shift is None else np.full(count, shift)
        channels = layer.output_dims[3]
        bias = rng.choice([-(1 << 31), (1 << 31) - 1, 1 << 30, -(1 << 30), 0, 1], channels)
        layer = layer.moved(shift=shifts.astype(np.int32), bias=bias.astype(np.int32))
        _check(_in_turn(libraries, turn), host, operator, layer, data)


def test_outputs_are_not_all_saturated(host: NativeLibrary) -> None:
    """The random layers exercise rounding: many outputs lie strictly inside the bounds."""
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(50):
        layer, data = random_layers.layer(rng, "convolve", (8, 8), None)
        output = run(host, "convolve", layer, data)
        inside.append(np.mean((output > layer.activation[0]) & (output < layer.activation[1])))
    assert np.mean(inside) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_many_random_layers(
    libraries: dict[str, Library],
    host: NativeLibrary,
    operator: str,
    bit_widths: tuple[int, int],
    seed: int,
) -> None:
    """As test_random_layers, a hundred a seed, each on every core."""
    rng = np.random.default_rng([5, seed])
    for _ in range(100):
        layer, data = random_layers.layer(rng, operator, bit_widths, None)
        _check(libraries, host, operator, layer, data)


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 9, 600])
def test_deep_rows(libraries: dict[str, Library], host: NativeLibrary, rows: int) -> None:
    """Rows up to and beyond the largest column, with every rest modulo 4."""
    rng = np.random.default_rng(rows)
    for depth in (1023, 1024, 1025, 1026, 1027, 1028, 2051):
        layer, _ = random_layers.layer(rng, "fully_connected", (8, 8), 5)
        batches = layer.input_dims[0]
        bias = rng.integers(-2000, 2000, rows).astype(np.int32)
        layer = layer.moved(
            input_dims=(batches, 1, 1, depth),
            filter_dims=(rows, 1, 1, depth),
            output_dims=(batches, 1, 1, rows),
            filter=random_layers.tensor(rng, rows * depth, 8),
            bias=None if layer.bias is None else bias,
            multiplier=np.resize(layer.multiplier, rows if layer.per_channel else 1),
            shift=np.resize(layer.shift, rows if layer.per_channel else 1),
        )
        data = random_layers.tensor(rng, batches * depth, 8)
        _check(libraries, host, "fully_connected", layer, data)
