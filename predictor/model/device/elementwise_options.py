"""Options of operators that compute each element from those at its place, and of means.

See :mod:`predictor.model.device.options`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod

from predictor.model.device.names import PREFIX
from predictor.model.device.options import VERSION, Dims

TABLE_ENTRIES = 256
"""One for each int8, from 0 to 127, then from -128 to -1."""
PAIR_PARAMS = {"BROADCAST_ADD": 12, "MAXIMUM": 0, "MINIMUM": 0, "MUL": 7, "SUB": 12}
"""Operators of two tensors with the words of their kernel's parameters."""


@dataclass(frozen=True, slots=True)
class LookupOptions:
    """An activation function of ``count`` int8 values, as a table."""

    count: int
    table: bytes = field(repr=False)

    @property
    def code(self) -> str:
        return f"{PREFIX}LOOKUP_S8"

    @property
    def work(self) -> tuple[int, int]:
        return 0, self.count

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return self.count, self.count

    def pack(self) -> bytes:
        return struct.pack("<2i", VERSION, self.count) + self.table


@dataclass(frozen=True, slots=True)
class MeanOptions:
    """MEAN over ``reduced`` elements that lie ``inner`` apart, ``outer`` times."""

    outer: int
    reduced: int
    inner: int
    input_offset: int
    multiplier: int
    shift: int
    output_offset: int

    @property
    def code(self) -> str:
        return f"{PREFIX}MEAN_S8"

    @property
    def work(self) -> tuple[int, int]:
        return 0, self.outer * self.reduced * self.inner

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return self.work[1], self.outer * self.inner

    def params(self) -> tuple[int, int, int, int]:
        return self.input_offset, self.multiplier, self.shift, self.output_offset

    def pack(self) -> bytes:
        sizes = (self.outer, self.reduced, self.inner)
        return struct.pack("<8i", VERSION, *sizes, *self.params())


@dataclass(frozen=True, slots=True)
class PairOptions:
    """MUL, SUB, MAXIMUM, MINIMUM, or ADD of tensors of which one is repeated.

    Each dimension of an input is 1 or the output's. ``params``: those of the kernel, word by word.
    """

    operator: str
    input_dims: tuple[Dims, Dims]
    output_dims: Dims
    params: tuple[int, ...]

    @property
    def code(self) -> str:
        return f"{PREFIX}{self.operator}_S8"

    @property
    def work(self) -> tuple[int, int]:
        return 0, prod(self.output_dims)

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        return (*map(prod, self.input_dims), prod(self.output_dims))

    @property
    def run_lengths(self) -> tuple[int, int]:
        """How often the kernel's loop runs, and elements of each run."""
        elements = prod(self.output_dims)
        if all(prod(dims) in (1, elements) for dims in self.input_dims):
            return 1, elements
        return elements // self.output_dims[3], self.output_dims[3]

    def pack(self) -> bytes:
        words = (*self.input_dims[0], *self.input_dims[1], *self.output_dims, *self.params)
        return struct.pack(f"<{1 + len(words)}i", VERSION, *words)
