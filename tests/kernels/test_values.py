"""Operators of two tensors, means and tables of int8, on host, M4 and M7."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from kernels.binding import Library, NativeLibrary, Struct
from predictor.model.device.elementwise_options import PairOptions
from predictor.model.device.options import Dims
from predictor.operators.mn.overlap import input_overlaps
from tests.kernels import random_layers
from tests.kernels.random_layers import tensor

PAIRS = ("broadcast_add", "maximum", "minimum", "mul", "sub")


def _params(rng: np.random.Generator, operator: str) -> tuple[int, ...]:
    if operator in ("maximum", "minimum"):
        return ()
    multipliers = [int(value) for value in rng.integers(1 << 30, 1 << 31, 3)]
    offsets = [int(value) for value in rng.integers(-127, 129, 2)]
    output_offset = int(rng.integers(-128, 128))
    bounds = random_layers.activation(rng, 8)
    if operator == "mul":
        shift = int(rng.choice([-31, -9, -6, -2, -1, 0, 3, 14]))
        return (*offsets, output_offset, multipliers[0], shift, *bounds)
    shifts = [-int(value) for value in rng.integers(0, 4, 2)]
    inputs = (offsets[0], multipliers[0], shifts[0], offsets[1], multipliers[1], shifts[1])
    output_shift = -int(rng.choice([0, 1, 19, 20, 31]))
    return (*inputs, 20, output_offset, multipliers[2], output_shift, *bounds)


def _repeated(rng: np.random.Generator, dims: Dims) -> Dims:
    n, h, w, c = (int(size) if rng.random() < 0.6 else 1 for size in dims)
    return n, h, w, c


@pytest.mark.parametrize("operator", PAIRS)
def test_pairs(libraries: dict[str, Library], host: NativeLibrary, operator: str) -> None:
    """Any dimension repeated, in either input; the output may be an input of its size."""
    rng = np.random.default_rng(1)
    for case in range(60):
        n, h, w, c = (int(size) for size in rng.integers(1, (3, 5, 5, 19)))
        dims = (n, h, w, c)
        inputs = dims if case % 3 else _repeated(rng, dims), _repeated(rng, dims)
        if case % 5 == 0:
            inputs = (dims, dims)
        output_dims = tuple(max(sizes) for sizes in zip(*inputs, strict=True))
        params = _params(rng, operator)
        options = PairOptions(operator.upper(), inputs, output_dims, params)  # type: ignore[arg-type]
        data = [tensor(rng, prod(each), 8) for each in inputs]
        head = [Struct(params)] if params else []
        tensors = [Struct(inputs[0]), data[0], Struct(inputs[1]), data[1], Struct(output_dims)]
        expected = np.zeros(prod(output_dims), np.int8)
        host.call(f"mn_reference_{operator}", 8, *head, *tensors, expected)
        places = [None, *(overlap.position for overlap in input_overlaps(options))]
        for name, library in libraries.items():
            for place in places:
                output = np.full(expected.size, 0x55, np.int8)
                given = list(tensors)
                if place is not None:
                    output = given[1 + 2 * place] = data[place].copy()
                assert library.call(f"mn_{operator}_s8", *head, *given, output) == 0
                np.testing.assert_array_equal(output, expected, err_msg=f"{name} {options}")


def test_means(libraries: dict[str, Library], host: NativeLibrary) -> None:
    """Rows, channels, and more values than 16 bits can sum, in place."""
    rng = np.random.default_rng(2)
    sizes = [(1, 9, 7), (3, 1, 5), (2, 600, 4), (1, 600, 3), (4, 13, 1), (1, 2000, 1), (2, 5, 1)]
    sizes += [tuple(map(int, rng.integers(1, (4, 40, 12)))) for _ in range(30)]
    for outer, reduced, inner in sizes:
        data = tensor(rng, outer * reduced * inner, 8)
        shift = int(rng.choice([-31, -12, -5, -2, -1, 0, 2])) - reduced.bit_length() // 3
        multiplier = int(rng.integers(1 << 29, 1 << 31))
        scaling = (int(rng.integers(-127, 129)), multiplier, max(shift, -31), 5)
        arguments = (Struct(scaling), outer, reduced, inner)
        expected = np.zeros(outer * inner, np.int8)
        host.call("mn_reference_mean", 8, *arguments, data, expected)
        for name, library in libraries.items():
            memory = data.copy()
            output = memory[: expected.size]
            assert library.call("mn_mean_s8", *arguments, memory, output) == 0
            np.testing.assert_array_equal(output, expected, err_msg=f"{name} {arguments}")


def test_tables(libraries: dict[str, Library], host: NativeLibrary) -> None:
    """Every value, every number of elements beyond a group of four, in place."""
    rng = np.random.default_rng(3)
    table = tensor(rng, 256, 8)
    for count in (*range(10), 256):
        data = np.roll(np.arange(-128, 128), int(rng.integers(256))).astype(np.int8)[:count].copy()
        expected = np.zeros(count, np.int8)
        host.call("mn_reference_lookup", 8, table, data, expected, count)
        for name, library in libraries.items():
            output = data.copy()
            assert library.call("mn_lookup_s8", table, output, output, count) == 0
            np.testing.assert_array_equal(output, expected, err_msg=name)


_BYTES = np.zeros(16, np.int8)
_DIMS, _ROW = Struct((1, 1, 2, 2)), Struct((1, 1, 1, 2))
_OTHER, _NO_DIMS = Struct((1, 1, 3, 2)), Struct((0, 0, 0, 0))
_MUL = (0, 0, 0, 1 << 30, -3, -128, 127)
_ADD = (0, 1 << 30, 0, 0, 1 << 30, 0, 20, 0, 1 << 30, -1, -128, 127)
_MEAN = (0, 1 << 30, -3, 0)
_REFUSED: list[tuple[object, ...]] = [
    ("mn_lookup_s8", None, _BYTES, _BYTES, 4),
    ("mn_lookup_s8", _BYTES, None, _BYTES, 4),
    ("mn_lookup_s8", _BYTES, _BYTES, _BYTES, -1),
    ("mn_mean_s8", None, 1, 4, 2, _BYTES, _BYTES),
    ("mn_mean_s8", Struct(_MEAN), 0, 4, 2, _BYTES, _BYTES),
    ("mn_mean_s8", Struct(_MEAN), 1, (1 << 22) + 1, 1, _BYTES, _BYTES),
    ("mn_mean_s8", Struct(_MEAN), 1 << 20, 1 << 20, 1, _BYTES, _BYTES),
    ("mn_mean_s8", Struct((129, *_MEAN[1:])), 1, 4, 2, _BYTES, _BYTES),
    ("mn_mean_s8", Struct((*_MEAN[:2], -32, 0)), 1, 4, 2, _BYTES, _BYTES),
    ("mn_mul_s8", None, _DIMS, _BYTES, _ROW, _BYTES, _DIMS, _BYTES),
    ("mn_mul_s8", Struct((*_MUL[:4], 31, *_MUL[5:])), _DIMS, _BYTES, _ROW, _BYTES, _DIMS, _BYTES),
    ("mn_mul_s8", Struct((*_MUL[:5], 7, -8)), _DIMS, _BYTES, _ROW, _BYTES, _DIMS, _BYTES),
    ("mn_sub_s8", Struct((300, *_ADD[1:])), _DIMS, _BYTES, _ROW, _BYTES, _DIMS, _BYTES),
    ("mn_broadcast_add_s8", Struct(_ADD), _DIMS, None, _ROW, _BYTES, _DIMS, _BYTES),
    ("mn_maximum_s8", _DIMS, _BYTES, _OTHER, _BYTES, _DIMS, _BYTES),
    ("mn_maximum_s8", _NO_DIMS, _BYTES, _DIMS, _BYTES, _DIMS, _BYTES),
    ("mn_minimum_s8", _DIMS, _BYTES, _DIMS, _BYTES, _ROW, _BYTES),
    ("mn_minimum_s8", _DIMS, _BYTES, _DIMS, _BYTES, _DIMS, None),
]


@pytest.mark.parametrize("call", _REFUSED, ids=lambda call: str(call[0]))
def test_refused_arguments(libraries: dict[str, Library], call: tuple[object, ...]) -> None:
    """What the documentation demands; no byte is written."""
    symbol, *arguments = call
    for library in libraries.values():
        assert library.call(str(symbol), *arguments) == -1, arguments  # type: ignore[arg-type]
    assert not _BYTES.any()
