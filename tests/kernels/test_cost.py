"""What the kernels cost on a Cortex-M4: instructions against CMSIS-NN's, no cliff, flash."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels import instructions as benchmark
from kernels.emulated import EmulatedLibrary
from tests.kernels.random_layers import BIT_WIDTHS

LARGEST_TEXT_BYTES = 40 * 1024
LARGEST_SPREAD = 1.06

# Largest geometric means of instructions over the shapes of kernels/cmsis_nn_m4.csv.
AGAINST_CMSIS_NN = {
    ("convolve", (8, 8)): 0.50,
    ("convolve", (8, 4)): 0.32,
    ("depthwise", (8, 8)): 0.55,
    ("depthwise", (8, 4)): 0.28,
    ("fully_connected", (8, 8)): 0.78,
    ("fully_connected", (8, 4)): 0.38,
}
AGAINST_INT8 = {
    ("convolve", (8, 4)): 1.10,
    ("convolve", (4, 4)): 1.17,
    ("convolve", (4, 8)): 1.10,
    ("depthwise", (8, 4)): 1.05,
    ("depthwise", (4, 4)): 1.20,
    ("depthwise", (4, 8)): 1.20,
}


@pytest.fixture(scope="module")
def results(emulated: dict[str, EmulatedLibrary]) -> benchmark.Results:
    """Every shape on the Cortex-M4."""
    return benchmark.measure_all({"cortex-m4": emulated["cortex-m4"]})


@pytest.mark.parametrize("key", AGAINST_CMSIS_NN, ids=str)
def test_against_cmsis_nn(results: benchmark.Results, key: tuple[str, tuple[int, int]]) -> None:
    """Instructions of whole calls, scratch preparation included."""
    assert benchmark.to_cmsis_nn(results[key]) <= AGAINST_CMSIS_NN[key]


def test_large_pointwise_convolutions(results: benchmark.Results) -> None:
    """At most 0.56 of CMSIS-NN."""
    large = [m for m in results["convolve", (8, 8)] if m.shape.is_large_pointwise]
    assert len(large) >= 5
    assert benchmark.to_cmsis_nn(large) <= 0.56


@pytest.mark.parametrize("key", AGAINST_INT8, ids=str)
def test_four_bits_cost_what_eight_do(
    results: benchmark.Results, key: tuple[str, tuple[int, int]]
) -> None:
    """Instructions against our own int8 kernels."""
    assert benchmark.to_int8(results, *key) <= AGAINST_INT8[key]


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=str)
def test_no_cliff(emulated: dict[str, EmulatedLibrary], bit_widths: tuple[int, int]) -> None:
    """137 to 144 channels differ by less than 6 % per MAC."""
    costs = benchmark.cliff(emulated["cortex-m4"], bit_widths).values()
    assert max(costs) / min(costs) < LARGEST_SPREAD


def test_text(emulated: dict[str, EmulatedLibrary], tmp_path: Path) -> None:
    """All kernels together."""
    assert emulated
    assert sum(benchmark.text_bytes(tmp_path).values()) < LARGEST_TEXT_BYTES
