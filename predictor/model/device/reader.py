"""Reads the ``custom_options`` of the custom operators of device models."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from predictor.errors import ModelError
from predictor.model.device.elementwise_options import (
    PAIR_PARAMS,
    TABLE_ENTRIES,
    LookupOptions,
    MeanOptions,
    PairOptions,
)
from predictor.model.device.names import PREFIX, WEIGHTED
from predictor.model.device.options import (
    PLACES,
    POOLING,
    PREPARED_BITS,
    VERSION,
    AddOptions,
    ClampOptions,
    DeviceOptions,
    Dims,
    PadOptions,
    Pair,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    Tables,
    WeightedOptions,
    suffix,
)
from predictor.model.device.stream_reader import read_stream
from predictor.model.device.stream_stage import STREAM, TYPES
from predictor.model.requantization import Range

_INT32_MAX = 2**31 - 1
_MAX_STEP = 65535
"""The largest stride, padding and dilation that the kernels take."""


class _Words:
    """The words of options, taken from first to last.

    Raises:
        ModelError: they are too short, too long, or a dimension is no positive int32.
    """

    def __init__(self, code: str, data: bytes) -> None:
        self.code = code
        self._data = data
        self._position = 0
        if self.take() != VERSION:
            raise ModelError(f"the options of {code} are not of version {VERSION}")

    def ints(self, count: int, kind: str = "i") -> tuple[int, ...]:
        """So many integers of a format of ``struct``."""
        end = self._position + struct.calcsize(f"<{kind}") * count
        if not 0 <= count <= len(self._data) or end > len(self._data):
            raise ModelError(f"the options of {self.code} end after {len(self._data)} bytes")
        values: tuple[int, ...] = struct.unpack_from(f"<{count}{kind}", self._data, self._position)
        self._position = end
        return values

    def take(self) -> int:
        return self.ints(1)[0]

    def dims(self, least: int = 1) -> Dims:
        n, h, w, c = self.ints(4)
        if min(n, h, w, c) < least or prod((n, h, w, c)) > _INT32_MAX:
            raise ModelError(f"the options of {self.code} have the dimensions {[n, h, w, c]}")
        return n, h, w, c

    def count(self) -> int:
        value = self.take()
        if value < 1:
            raise ModelError(f"the options of {self.code} have {value} elements")
        return value

    def pair(self) -> Pair:
        """(height, width) of what C holds as width, height."""
        width, height = self.ints(2)
        return height, width

    def range(self) -> Range:
        low, high = self.ints(2)
        return low, high

    def triple(self) -> tuple[int, int, int]:
        first, second, third = self.ints(3)
        return first, second, third

    def tables(self, place: str, entries: int) -> Tables:
        multipliers = self.ints(entries)
        if place == "flash":
            return Tables(multipliers, self.ints(entries), place)
        shifts = self.ints(entries, "b")
        if any(self.ints(-entries % 4, "b")):
            raise ModelError(f"the options of {self.code} are not padded with zeros")
        return Tables(multipliers, shifts, place)

    def finish(self) -> None:
        if self._position != len(self._data):
            raise ModelError(
                f"the options of {self.code} have {len(self._data)} bytes instead of "
                f"{self._position}"
            )


def _read_weighted(words: _Words, operator: str, bits: Pair) -> DeviceOptions:
    place, entries = words.ints(2)
    dims = words.dims(), words.dims(), words.dims()
    input_offset, output_offset = words.ints(2)
    multiplier = words.take() if operator == "DEPTHWISE_CONV_2D" else 1
    has_window = operator != "FULLY_CONNECTED"
    stride = words.pair() if has_window else (1, 1)
    padding = words.pair() if has_window else (0, 0)
    dilation = words.pair() if has_window else (1, 1)
    activation = words.range()
    wanted = (1, dims[2][3]) if operator == "FULLY_CONNECTED" else (dims[2][3],)
    if not 0 <= place < len(PLACES) or entries not in wanted:
        raise ModelError(f"the options of {words.code} have malformed requantisation tables")
    tables = words.tables(PLACES[place], entries)
    options = WeightedOptions(
        operator,
        *bits,
        *dims,
        input_offset,
        output_offset,
        activation,
        tables,
        stride,
        padding,
        dilation,
        multiplier,
    )
    if not _are_layer_dims(options) or not _is_window(stride, padding, dilation):
        raise ModelError(f"the dimensions in the options of {words.code} do not belong together")
    return options


def _are_layer_dims(options: WeightedOptions) -> bool:
    """Mirrors what the kernels demand of their dimensions."""
    input, filter, output = options.input_dims, options.filter_dims, options.output_dims
    if input[0] != output[0]:
        return False
    if options.operator == "DEPTHWISE_CONV_2D":
        channels = input[3] * options.channel_multiplier
        return filter[0] == 1 and filter[3] == output[3] == channels
    if options.operator == "FULLY_CONNECTED":
        return (
            filter[0] == output[3] and output[1:3] == (1, 1) and prod(filter[1:]) == prod(input[1:])
        )
    groups, rest = divmod(input[3], filter[3])
    return filter[0] == output[3] and groups > 0 and rest == 0 and output[3] % groups == 0


def _is_window(stride: Pair, padding: Pair, dilation: Pair) -> bool:
    steps = (*stride, *dilation)
    return min(steps) >= 1 and min(padding) >= 0 and max(*steps, *padding) <= _MAX_STEP


def _read_pool(words: _Words, operator: str, bits: int) -> DeviceOptions:
    input_dims, window, output_dims = words.dims(), words.dims(), words.dims()
    stride, padding, activation = words.pair(), words.pair(), words.range()
    options = PoolOptions(
        operator, bits, input_dims, window[1:3], output_dims, stride, padding, activation
    )
    if not _is_window(stride, padding, (1, 1)) or not _are_pool_dims(options):
        raise ModelError(f"the dimensions in the options of {words.code} do not belong together")
    return options


def _are_pool_dims(options: PoolOptions) -> bool:
    """Batches and channels stay; each window holds an element of the input."""
    return options.input_dims[::3] == options.output_dims[::3] and all(
        before < size and (count - 1) * step - before < length
        for count, length, size, step, before in zip(
            options.output_dims[1:3],
            options.input_dims[1:3],
            options.window,
            options.stride,
            options.padding,
            strict=True,
        )
    )


def _read_add(words: _Words, bits: int) -> DeviceOptions:
    count, inputs, left_shift = words.count(), (words.triple(), words.triple()), words.take()
    return AddOptions(bits, count, inputs, words.triple(), words.range(), left_shift)


def _read_softmax(words: _Words, bits: int) -> DeviceOptions:
    return SoftmaxOptions(bits, words.count(), words.count(), *words.triple())


def _read_pad(words: _Words, bits: int) -> DeviceOptions:
    return PadOptions(bits, words.take(), words.dims(), words.dims(0), words.dims(0))


def _read_clamp(words: _Words, bits: int) -> DeviceOptions:
    return ClampOptions(bits, words.count(), words.range())


def _read_requantize(words: _Words, bits: Pair) -> DeviceOptions:
    return RequantizeOptions(*bits, words.count(), words.take(), *words.triple())


def _read_lookup(words: _Words) -> DeviceOptions:
    count, table = words.count(), words.ints(TABLE_ENTRIES, "b")
    return LookupOptions(count, struct.pack(f"<{TABLE_ENTRIES}b", *table))


def _read_mean(words: _Words) -> DeviceOptions:
    sizes = words.count(), words.count(), words.count()
    if prod(sizes) > _INT32_MAX:
        raise ModelError(f"the options of {words.code} have the dimensions {list(sizes)}")
    return MeanOptions(*sizes, words.take(), *words.triple())


def _read_pair(words: _Words, operator: str) -> DeviceOptions:
    inputs, output = (words.dims(), words.dims()), words.dims()
    if any(
        size not in (1, whole) for dims in inputs for size, whole in zip(dims, output, strict=True)
    ):
        raise ModelError(f"the dimensions in the options of {words.code} do not belong together")
    return PairOptions(operator, inputs, output, words.ints(PAIR_PARAMS[operator]))


_Reader = Callable[[_Words], DeviceOptions]


def _readers() -> Mapping[str, _Reader]:
    def bound(read: Callable[..., DeviceOptions], *arguments: object) -> _Reader:
        return lambda words: read(words, *arguments)

    readers: dict[str, _Reader] = {}
    for operator in WEIGHTED:
        for pair in ((8, 8), (8, 4), (4, 4), (4, 8)):
            readers[f"{operator}_{suffix(*pair)}"] = bound(_read_weighted, operator, pair)
    for bits in (8, 4):
        pair = (bits, PREPARED_BITS)
        readers[f"DEPTHWISE_CONV_2D_{suffix(*pair)}"] = bound(
            _read_weighted, "DEPTHWISE_CONV_2D", pair
        )
        for operator in POOLING:
            readers[f"{operator}_S{bits}"] = bound(_read_pool, operator, bits)
        readers[f"ADD_S{bits}"] = bound(_read_add, bits)
        readers[f"SOFTMAX_S{bits}"] = bound(_read_softmax, bits)
        readers[f"CLAMP_S{bits}"] = bound(_read_clamp, bits)
        readers[f"PAD_S{bits}"] = bound(_read_pad, bits)
    readers["LOOKUP_S8"], readers["MEAN_S8"] = _read_lookup, _read_mean
    for operator in PAIR_PARAMS:
        readers[f"{operator}_S8"] = bound(_read_pair, operator)
    readers["REQUANTIZE_S8_S4"] = bound(_read_requantize, (8, 4))
    readers["REQUANTIZE_S4_S8"] = bound(_read_requantize, (4, 8))
    return MappingProxyType({PREFIX + name: read for name, read in readers.items()})


_READERS = _readers()
_STREAMS = MappingProxyType({f"{STREAM}_{suffix(*types)}": types for types in TYPES})
CODES = tuple(sorted(_READERS.keys() | _STREAMS.keys()))
"""Names of all custom operators."""


def read_options(code: str, data: bytes | None) -> DeviceOptions:
    """The options of a custom operator of this name (one of ``CODES``).

    Raises:
        ModelError: they are malformed or of another version.
    """
    if code in _STREAMS:
        return read_stream(code, _STREAMS[code], data or b"", read_options)
    words = _Words(code, b"" if data is None else data)
    options = _READERS[code](words)
    words.finish()
    return options
