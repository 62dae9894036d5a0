"""Pooling, addition, softmax, clamp, padding and requantisation on host, M4 and M7."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.binding import Library, NativeLibrary, Struct
from kernels.calls import Layer
from predictor.model.device.options import packed_bytes
from predictor.model.device.packing import pack
from predictor.model.requantization import softmax_scaling
from tests.kernels import golden, random_layers
from tests.kernels.random_layers import bounds, tensor

BITS = (8, 4)


def _pool_arguments(layer: Layer) -> tuple[Struct, ...]:
    stride, padding = layer.stride[::-1], layer.padding[::-1]
    return (
        Struct((*stride, *padding, *layer.activation)),
        Struct(layer.input_dims),
        Struct(layer.filter_dims),
        Struct(layer.output_dims),
    )


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("operator", ["avgpool", "max_pool"])
def test_pooling(
    libraries: dict[str, Library], host: NativeLibrary, operator: str, bits: int
) -> None:
    """Every window, stride and padding whose windows hold an element."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        layer, data = random_layers.pooling_layer(rng, bits)
        expected = pack(golden.pool(operator, layer, data), bits)
        params, input_dims, filter_dims, output_dims = _pool_arguments(layer)
        output = np.full(expected.size, 0x55, np.int8)
        host.call(
            f"mn_reference_{operator}", bits, params, input_dims, data, filter_dims, output_dims,
            output,
        )  # fmt: skip
        np.testing.assert_array_equal(output, expected)
        for name, library in libraries.items():
            output[:] = 0x55
            status = library.call(
                f"mn_{operator}_s{bits}", params, input_dims, data, filter_dims, output_dims, output
            )
            assert status == 0, layer
            np.testing.assert_array_equal(output, expected, err_msg=f"{name}: {layer}")


def test_average_of_a_large_window(libraries: dict[str, Library]) -> None:
    """More taps in a row than int16 lanes can sum: 600 values of -128."""
    dims = (1, 2, 600, 5)
    data = np.full(int(np.prod(dims)), -128, np.int8)
    window = (Struct((1, 1, 0, 0, -128, 127)), Struct(dims))
    for library in libraries.values():
        output = np.zeros(5, np.int8)
        status = library.call(
            "mn_avgpool_s8", *window, data, Struct((1, 2, 600, 1)), Struct((1, 1, 1, 5)), output
        )
        assert status == 0
        np.testing.assert_array_equal(output, -128)


def _add_params(rng: np.random.Generator, bits: int) -> Struct:
    low, high = bounds(bits)
    multipliers = [int(m) for m in rng.integers(1 << 30, 1 << 31, 3)]
    offsets = [int(o) for o in rng.integers(-high, -low + 1, 2)]
    shifts = [-int(s) for s in rng.integers(0, 4, 2)]
    left = 20 if rng.random() < 0.8 else int(rng.integers(0, 21))
    return Struct(
        (
            offsets[0], multipliers[0], shifts[0],
            offsets[1], multipliers[1], shifts[1],
            left, int(rng.integers(low, high + 1)), multipliers[2],
            -int(rng.choice([0, 1, left, left - 1 if left else 0, 31])),
            *random_layers.activation(rng, bits),
        )
    )  # fmt: skip


@pytest.mark.parametrize("bits", BITS)
def test_addition(libraries: dict[str, Library], host: NativeLibrary, bits: int) -> None:
    """Both inputs' scales, every size up to 20; the output may be the first input."""
    rng = np.random.default_rng(2)
    for size in (*range(21), 200):
        params = _add_params(rng, bits)
        first, second = tensor(rng, size, bits), tensor(rng, size, bits)
        expected = np.zeros(packed_bytes(size, bits), np.int8)
        host.call("mn_reference_add", bits, params, first, second, expected, size)
        for name, library in libraries.items():
            output = first.copy()
            status = library.call(
                f"mn_elementwise_add_s{bits}", params, output, second, output, size
            )
            assert status == 0
            np.testing.assert_array_equal(output, expected, err_msg=f"{name}: {params}")


@pytest.mark.parametrize("bits", BITS)
def test_clamp(libraries: dict[str, Library], host: NativeLibrary, bits: int) -> None:
    """Random bounds, in place."""
    rng = np.random.default_rng(3)
    for size in range(30):
        activation = Struct(random_layers.activation(rng, bits))
        data = tensor(rng, size, bits)
        expected = np.zeros(packed_bytes(size, bits), np.int8)
        host.call("mn_reference_clamp", bits, activation, data, expected, size)
        for name, library in libraries.items():
            output = data.copy()
            assert library.call(f"mn_clamp_s{bits}", activation, output, output, size) == 0
            np.testing.assert_array_equal(output, expected, err_msg=name)


@pytest.mark.parametrize("bits", BITS)
def test_padding(libraries: dict[str, Library], host: NativeLibrary, bits: int) -> None:
    """Random amounts at both ends of all four dimensions."""
    rng = np.random.default_rng(4)
    for _ in range(40):
        dims, before, after = (tuple(map(int, rng.integers(least, 5, 4))) for least in (1, 0, 0))
        padded = [sum(sizes) for sizes in zip(dims, before, after, strict=True)]
        value = int(rng.integers(*bounds(bits)))
        data = tensor(rng, int(np.prod(dims)), bits)
        elements = np.full(padded, value, np.int8)
        inner = tuple(slice(b, b + d) for b, d in zip(before, dims, strict=True))
        count = int(np.prod(dims))
        elements[inner] = golden.unpack(data, count, bits).reshape(dims)
        expected = pack(elements, bits)
        arguments = (value, Struct(dims), data, Struct(before), Struct(after))
        output = np.full(expected.size, 0x55, np.int8)
        host.call("mn_reference_pad", bits, *arguments, output)
        np.testing.assert_array_equal(output, expected)
        for name, library in libraries.items():
            output[:] = 0x55
            assert library.call(f"mn_pad_s{bits}", *arguments, output) == 0
            np.testing.assert_array_equal(output, expected, err_msg=name)


@pytest.mark.parametrize("widths", [(8, 4), (4, 8)], ids=["s8_s4", "s4_s8"])
def test_requantization(
    libraries: dict[str, Library], host: NativeLibrary, widths: tuple[int, int]
) -> None:
    """Scales up and down between the two types, every value."""
    rng = np.random.default_rng(5)
    source, target = widths
    low, high = bounds(source)
    values = np.arange(low, high + 1)
    data = pack(values, source)
    for shift in range(-31, 31):
        offsets = (int(rng.integers(-high, -low + 1)), int(rng.integers(*bounds(target))))
        params = (offsets[0], int(rng.integers(1 << 30, 1 << 31)), shift, offsets[1])
        expected = np.zeros(packed_bytes(values.size, target), np.int8)
        host.call("mn_reference_requantize", source, target, *params, data, expected, values.size)
        for name, library in libraries.items():
            output = np.full(expected.size, 0x55, np.int8)
            symbol = f"mn_requantize_s{source}_s{target}"
            assert library.call(symbol, Struct(params), data, output, values.size) == 0
            np.testing.assert_array_equal(output, expected, err_msg=f"{name} {params}")


@pytest.mark.parametrize("bits", BITS)
def test_softmax(libraries: dict[str, Library], host: NativeLibrary, bits: int) -> None:
    """Random rows, equal rows, and input scales from nearly flat to nearly one-hot."""
    rng = np.random.default_rng(6)
    for scale in (1 / 1024, 1 / 256, 0.02, 1 / 16, 0.1, 0.4, 1.0, 3.9):
        for rows, row_size in ((1, 1), (1, 2), (3, 12), (2, 35), (1, 512)):
            data = tensor(rng, rows * row_size, bits)
            arguments = (rows, row_size, *softmax_scaling(1.0, scale))
            expected = np.zeros(rows * row_size, np.int8)
            host.call("mn_reference_softmax", bits, data, *arguments, expected)
            real = golden.unpack(data, rows * row_size, bits).reshape(rows, row_size) * scale
            exact = np.exp(real - real.max(1, keepdims=True))
            exact = exact / exact.sum(1, keepdims=True) * 256 - 128
            assert np.abs(expected.reshape(rows, row_size) - np.minimum(exact, 127)).max() < 1.5
            for name, library in libraries.items():
                output = np.full(rows * row_size, 0x55, np.int8)
                assert library.call(f"mn_softmax_s{bits}", data, *arguments, output) == 0
                np.testing.assert_array_equal(output, expected, err_msg=f"{name} {scale}")


_BYTES = np.zeros(16, np.int8)
_DIMS = Struct((1, 1, 2, 2))
_NO_DIMS = Struct((0, 0, 0, 0))
_GOOD_ADD = (0, 1 << 30, 0, 0, 1 << 30, 0, 20, 0, 1 << 30, -1, -8, 7)
_REFUSED: dict[str, list[tuple[object, ...]]] = {
    "mn_elementwise_add_s{bits}": [
        (None, _BYTES, _BYTES, _BYTES, 4),
        (Struct(_GOOD_ADD), None, _BYTES, _BYTES, 4),
        (Struct(_GOOD_ADD), _BYTES, _BYTES, _BYTES, -1),
        (Struct((*_GOOD_ADD[:2], 1, *_GOOD_ADD[3:])), _BYTES, _BYTES, _BYTES, 4),
        (Struct((*_GOOD_ADD[:6], 21, *_GOOD_ADD[7:])), _BYTES, _BYTES, _BYTES, 4),
        (Struct((*_GOOD_ADD[:10], 7, -8)), _BYTES, _BYTES, _BYTES, 4),
        (Struct((300, *_GOOD_ADD[1:])), _BYTES, _BYTES, _BYTES, 4),
    ],
    "mn_clamp_s{bits}": [
        (Struct((1, 0)), _BYTES, _BYTES, 4),
        (Struct((-129, 0)), _BYTES, _BYTES, 4),
        (Struct((0, 1)), None, _BYTES, 4),
        (Struct((0, 1)), _BYTES, _BYTES, -4),
    ],
    "mn_pad_s{bits}": [
        (0, _NO_DIMS, _BYTES, _NO_DIMS, _NO_DIMS, _BYTES),
        (0, _DIMS, _BYTES, Struct((0, -1, 0, 0)), _NO_DIMS, _BYTES),
        (0, _DIMS, _BYTES, Struct((0, 1 << 30, 1 << 30, 0)), _NO_DIMS, _BYTES),
        (200, _DIMS, _BYTES, _NO_DIMS, _NO_DIMS, _BYTES),
        (0, _DIMS, None, _NO_DIMS, _NO_DIMS, _BYTES),
    ],
    "mn_softmax_s{bits}": [
        (_BYTES, 0, 4, 1 << 30, 20, -100, _BYTES),
        (_BYTES, 1, 0, 1 << 30, 20, -100, _BYTES),
        (_BYTES, 1, 4096, 1 << 30, 20, -100, _BYTES),
        (_BYTES, 1, 4, 1 << 30, 32, -100, _BYTES),
        (_BYTES, 1, 4, 1 << 30, 20, 1, _BYTES),
        (None, 1, 4, 1 << 30, 20, -100, _BYTES),
    ],
}


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("symbol", _REFUSED)
def test_refused_arguments(libraries: dict[str, Library], symbol: str, bits: int) -> None:
    """Every documented refusal; no byte is written."""
    for arguments in _REFUSED[symbol]:
        for library in libraries.values():
            status = library.call(symbol.format(bits=bits), *arguments)  # type: ignore[arg-type]
            assert status == -1, arguments
    assert not _BYTES.any()
