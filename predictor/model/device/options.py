"""Options of the custom operators that run a model with the project's own kernels.

An operator's ``custom_options`` hold what its kernel takes, in the layout of the C structs of
``kernels/include/mn_options.h``: little-endian 32-bit words, read where they lie in flash.
``docs/device_model.md`` describes the format.
"""

from __future__ import annotations

import struct
from dataclasses import field
from math import prod
from typing import Protocol

from predictor.model.device.names import PREFIX
from predictor.model.requantization import Range
from predictor.records import dataclass

VERSION = 1
"""First word of all options, and version of all custom operators."""
PREPARED_BITS = 16
"""Bits of weights that :mod:`predictor.model.device.prepared_filter` prepares."""
POOLING = ("AVERAGE_POOL_2D", "MAX_POOL_2D")

Dims = tuple[int, int, int, int]
"""n, h, w, c"""
Pair = tuple[int, int]
"""(height, width)"""

PLACES = ("flash", "arena")
"""Where requantisation tables may lie; in options, the index."""
_SOFTMAX_OPERATIONS = 5
"""Of each element: maximum, difference, exponential, sum, scaling."""


class DeviceOptions(Protocol):
    """Options of one custom operator."""

    @property
    def code(self) -> str:
        """The custom operator's name, types included."""

    @property
    def work(self) -> tuple[int, int]:
        """Multiply-accumulates and other operations on elements of one inference."""

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        """Bytes of its inputs without the bias, then of its output."""

    def pack(self) -> bytes:
        """The operator's ``custom_options``."""


def packed_bytes(elements: int, bits: int) -> int:
    """Bytes of so many elements of 16, 8 or 4 bits."""
    return (elements * bits + 7) // 8


def suffix(activations: int, weights: int) -> str:
    """How kernels are named by the bits of activations and weights."""
    return f"S{activations}" if activations == weights else f"S{activations}_W{weights}"


@dataclass(frozen=True, slots=True)
class Tables:
    """Requantisation tables: one multiplier and shift for all outputs, or for each channel.

    ``place`` is "flash", where the kernel reads them from the file, or "arena": they are shorter in
    the file, and the operator unpacks them into the arena when it is initialised.
    """

    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]
    place: str = "flash"

    @property
    def arena_bytes(self) -> int:
        """Persistent bytes that the operator allocates: multipliers, shifts, a buffer's index."""
        return 0 if self.place == "flash" else 4 + 8 * len(self.multipliers)

    def words(self) -> tuple[int, int]:
        return PLACES.index(self.place), len(self.multipliers)

    def pack(self) -> bytes:
        if self.place == "flash":
            return _ints(*self.multipliers, *self.shifts)
        shifts = struct.pack(f"<{len(self.shifts)}b", *self.shifts)
        return _ints(*self.multipliers) + shifts + bytes(-len(shifts) % 4)


@dataclass(frozen=True, slots=True)
class WeightedOptions:
    """CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.

    Dims as the kernels take them: filters [output channels, h, w, input channels], depthwise
    [1, h, w, output channels]; FULLY_CONNECTED [batches, 1, 1, inputs]. ``stride``, ``padding``
    (top, left) and ``dilation`` are 1, 0 and 1 where an operator has none.
    """

    operator: str
    input_bits: int
    weight_bits: int
    input_dims: Dims
    filter_dims: Dims
    output_dims: Dims
    input_offset: int
    output_offset: int
    activation: Range
    tables: Tables = field(repr=False)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    channel_multiplier: int = 1

    @property
    def code(self) -> str:
        return f"{PREFIX}{self.operator}_{suffix(self.input_bits, self.weight_bits)}"

    @property
    def work(self) -> tuple[int, int]:
        taps = self.filter_dims if self.operator != "DEPTHWISE_CONV_2D" else self.filter_dims[:3]
        return prod(self.output_dims) * prod(taps[1:]), 0

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (
            packed_bytes(prod(self.input_dims), self.input_bits),
            self._filter_bytes,
            packed_bytes(prod(self.output_dims), self.input_bits),
        )

    @property
    def _filter_bytes(self) -> int:
        if self.weight_bits == PREPARED_BITS:
            # A bias of 32 bits and a weight of 16 for each tap; channels in quads.
            channels = -(-self.filter_dims[3] // 4) * 4
            return channels * (4 + 2 * prod(self.filter_dims[1:3]))
        return packed_bytes(prod(self.filter_dims), self.weight_bits)

    def params(self) -> tuple[int, ...]:
        """The kernel's parameter struct, word by word."""
        offsets = (self.input_offset, self.output_offset)
        if self.operator == "FULLY_CONNECTED":
            return (*offsets, *self.activation)
        multiplier = (self.channel_multiplier,) if self.operator == "DEPTHWISE_CONV_2D" else ()
        window = (*self.stride[::-1], *self.padding[::-1], *self.dilation[::-1])
        return (*offsets, *multiplier, *window, *self.activation)

    def pack(self) -> bytes:
        dims = (*self.input_dims, *self.filter_dims, *self.output_dims)
        head = _ints(VERSION, *self.tables.words(), *dims, *self.params())
        return head + self.tables.pack()


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """AVERAGE_POOL_2D or MAX_POOL_2D; ``window`` is (height, width)."""

    operator: str
    bits: int
    input_dims: Dims
    window: Pair
    output_dims: Dims
    stride: Pair
    padding: Pair
    activation: Range

    @property
    def code(self) -> str:
        return f"{PREFIX}{self.operator}_S{self.bits}"

    @property
    def work(self) -> tuple[int, int]:
        return 0, prod(self.output_dims) * prod(self.window)

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (
            packed_bytes(prod(self.input_dims), self.bits),
            packed_bytes(prod(self.output_dims), self.bits),
        )

    def pack(self) -> bytes:
        dims = (*self.input_dims, 1, *self.window, 1, *self.output_dims)
        params = (*self.stride[::-1], *self.padding[::-1], *self.activation)
        return _ints(VERSION, *dims, *params)


@dataclass(frozen=True, slots=True)
class AddOptions:
    """ADD of ``count`` elements.

    ``inputs`` and ``output`` are (offset or zero point, multiplier, shift).
    """

    bits: int
    count: int
    inputs: tuple[tuple[int, int, int], tuple[int, int, int]]
    output: tuple[int, int, int]
    activation: Range
    left_shift: int = 20

    @property
    def code(self) -> str:
        return f"{PREFIX}ADD_S{self.bits}"

    @property
    def work(self) -> tuple[int, int]:
        return 0, self.count

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (packed_bytes(self.count, self.bits),) * 3

    def params(self) -> tuple[int, ...]:
        """The kernel's parameter struct, word by word."""
        inputs = (*self.inputs[0], *self.inputs[1])
        return (*inputs, self.left_shift, *self.output, *self.activation)

    def pack(self) -> bytes:
        return _ints(VERSION, self.count, *self.params())


@dataclass(frozen=True, slots=True)
class SoftmaxOptions:
    """SOFTMAX of rows to int8 probabilities."""

    bits: int
    rows: int
    row_size: int
    multiplier: int
    left_shift: int
    diff_min: int

    @property
    def code(self) -> str:
        return f"{PREFIX}SOFTMAX_S{self.bits}"

    @property
    def work(self) -> tuple[int, int]:
        return 0, _SOFTMAX_OPERATIONS * self.rows * self.row_size

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (
            packed_bytes(self.rows * self.row_size, self.bits),
            self.rows * self.row_size,
        )

    def pack(self) -> bytes:
        scaling = (self.multiplier, self.left_shift, self.diff_min)
        return _ints(VERSION, self.rows, self.row_size, *scaling)


@dataclass(frozen=True, slots=True)
class PadOptions:
    """PAD; ``before`` and ``after`` are added to each dimension."""

    bits: int
    value: int
    input_dims: Dims
    before: Dims
    after: Dims

    @property
    def code(self) -> str:
        return f"{PREFIX}PAD_S{self.bits}"

    @property
    def output_dims(self) -> Dims:
        sizes = zip(self.before, self.input_dims, self.after, strict=True)
        n, h, w, c = (sum(parts) for parts in sizes)
        return n, h, w, c

    @property
    def work(self) -> tuple[int, int]:
        return 0, prod(self.output_dims)

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (
            packed_bytes(prod(self.input_dims), self.bits),
            packed_bytes(self.work[1], self.bits),
        )

    def pack(self) -> bytes:
        return _ints(VERSION, self.value, *self.input_dims, *self.before, *self.after)


@dataclass(frozen=True, slots=True)
class ClampOptions:
    """RELU and its like on int4 tensors whose scale stays the same."""

    bits: int
    count: int
    activation: Range

    @property
    def code(self) -> str:
        return f"{PREFIX}CLAMP_S{self.bits}"

    @property
    def work(self) -> tuple[int, int]:
        return 0, self.count

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (packed_bytes(self.count, self.bits),) * 2

    def pack(self) -> bytes:
        return _ints(VERSION, self.count, *self.activation)


@dataclass(frozen=True, slots=True)
class RequantizeOptions:
    """QUANTIZE between int8 and int4 tensors."""

    input_bits: int
    output_bits: int
    count: int
    input_offset: int
    multiplier: int
    shift: int
    output_offset: int

    @property
    def code(self) -> str:
        return f"{PREFIX}REQUANTIZE_S{self.input_bits}_S{self.output_bits}"

    @property
    def work(self) -> tuple[int, int]:
        return 0, self.count

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (
            packed_bytes(self.count, self.input_bits),
            packed_bytes(self.count, self.output_bits),
        )

    def pack(self) -> bytes:
        scaling = (self.input_offset, self.multiplier, self.shift, self.output_offset)
        return _ints(VERSION, self.count, *scaling)


def _ints(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}i", *words)
