"""The stated safe distances equal traced accesses, and overlapping tensors compute the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kernels.binding import Argument, Library
from kernels.calls import Layer, run
from kernels.emulated import EmulatedLibrary
from predictor.operators.access_order import Windows
from predictor.operators.mn.overlap import (
    convolution_distance,
    depthwise_distance,
    fully_connected,
    pooling_distance,
)
from tests.kernels import random_layers
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS
from tests.kernels.test_others import _pool_arguments


def _windows(layer: Layer) -> Windows:
    images, height, width, in_channels = layer.input_dims
    return Windows(
        images,
        (height, width),
        in_channels,
        (layer.output_dims[1], layer.output_dims[2]),
        layer.output_dims[3],
        (layer.filter_dims[1], layer.filter_dims[2]),
        layer.stride,
        layer.dilation,
        layer.padding,
    )


def _convolution(layer: Layer) -> int:
    groups = layer.input_dims[3] // layer.filter_dims[3]
    return convolution_distance(_windows(layer), groups, layer.activations)


def _depthwise(layer: Layer) -> int:
    multiplier = layer.multiplier_of_channels
    return depthwise_distance(_windows(layer), multiplier, layer.activations)


def _fully_connected(layer: Layer) -> int:
    batches, height, width, depth = layer.input_dims
    depth *= height * width
    return fully_connected(batches, depth, layer.output_dims[3], layer.activations)


DISTANCE: dict[str, Callable[[Layer], int]] = {
    "convolve": _convolution,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
}


class _Tracer:
    """A library that records what a call does to its input and output."""

    def __init__(self, library: EmulatedLibrary, input: np.ndarray, output: np.ndarray) -> None:
        self._library = library
        self._tensors = (input, output)
        self.distance = 0

    def call(self, symbol: str, *arguments: Argument) -> int:
        """Run the call; for a kernel, `distance` is what its accesses demand."""
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        if not any(a is self._tensors[1] for a in arrays):
            return self._library.call(symbol, *arguments)
        events = self._library.traced_call(symbol, *arguments)
        ranges = self._library.array_order
        numbers = [
            next(i for i, a in enumerate(ranges) if np.shares_memory(a, t)) for t in self._tensors
        ]
        first_later = None
        for is_write, located, size in reversed(events):
            number, offset = located >> 32, located & 0xFFFF_FFFF
            if number == numbers[0] and not is_write:
                first_later = offset if first_later is None else min(first_later, offset)
            elif number == numbers[1] and is_write and first_later is not None:
                self.distance = max(self.distance, offset + size - first_later)
        return 0


def _overlapping(layer: Layer, data: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Input and output as views of one array, the output `distance` bytes below the input."""
    size = max(distance + data.size, layer.output_bytes)
    memory = np.full(size, 0x33, np.int8)
    input = memory[distance : distance + data.size]
    input[:] = data
    return input, memory[: layer.output_bytes]


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_distance_is_that_of_the_accesses(
    tracing: EmulatedLibrary, operator: str, bit_widths: tuple[int, int]
) -> None:
    """Exactly that: a smaller distance would destroy input that is still read.

    Depthwise with int4 activations packs pairs of positions that may wait for the next row of
    outputs, so the stated distance, which counts whole rows, is an upper bound.
    """
    rng = np.random.default_rng(1)
    for _ in range(25):
        layer, data = random_layers.layer(rng, operator, bit_widths, None)
        layer = layer.moved(shift=np.clip(layer.shift, -20, -1))
        stated = DISTANCE[operator](layer)
        for form in random_layers.forms(operator, layer):
            output = np.zeros(layer.output_bytes, np.int8)
            tracer = _Tracer(tracing, data, output)
            run(tracer, operator, form, data, output)
            if operator == "depthwise" and layer.activations == 4:
                assert tracer.distance <= stated, form
            else:
                assert tracer.distance == stated, form


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("operator", ["avgpool", "max_pool"])
def test_distance_of_pooling(tracing: EmulatedLibrary, operator: str, bits: int) -> None:
    """Exactly that of the accesses."""
    rng = np.random.default_rng(2)
    for _ in range(25):
        layer, data = random_layers.pooling_layer(rng, bits)
        output = np.zeros(layer.output_bytes, np.int8)
        tracer = _Tracer(tracing, data, output)
        params, input_dims, filter_dims, output_dims = _pool_arguments(layer)
        tracer.call(
            f"mn_{operator}_s{bits}", params, input_dims, data, filter_dims, output_dims, output
        )
        stated = pooling_distance(_windows(layer), layer.activations)
        assert tracer.distance == stated, layer


@pytest.mark.parametrize("bit_widths", BIT_WIDTHS, ids=lambda b: f"s{b[0]}xs{b[1]}")
@pytest.mark.parametrize("operator", OPERATORS)
def test_overlapping_tensors(
    libraries: dict[str, Library], operator: str, bit_widths: tuple[int, int]
) -> None:
    """The same outputs as with separate tensors, any shift."""
    rng = np.random.default_rng(3)
    for _ in range(15):
        layer, data = random_layers.layer(rng, operator, bit_widths, None)
        expected = run(libraries["host"], operator, layer, data)
        distance = DISTANCE[operator](layer)
        for name, library in libraries.items():
            for form in random_layers.forms(operator, layer):
                input, output = _overlapping(form, data, distance)
                run(library, operator, form, input, output)
                np.testing.assert_array_equal(output, expected, err_msg=f"{name}: {form}")


def test_pointwise_overlaps(libraries: dict[str, Library]) -> None:
    """1 x 1, stride 1: D = max(0, cout - cin) * positions in all blocks but the last."""
    rng = np.random.default_rng(4)
    for inputs, outputs, distance in ((32, 32, 0), (64, 32, 0), (8, 16, 8 * 144 - 8 * 4)):
        layer, _ = random_layers.layer(rng, "convolve", (8, 8), inputs)
        layer = layer.moved(
            input_dims=(1, 12, 12, inputs),
            filter_dims=(outputs, 1, 1, inputs),
            output_dims=(1, 12, 12, outputs),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
        )
        assert _convolution(layer) == distance
