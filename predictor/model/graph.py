"""An immutable, framework-free picture of a TensorFlow Lite model.

Names follow the TensorFlow Lite schema. Nothing here knows of memory or kernels.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property, wraps
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from predictor.escapes import printable
from predictor.records import dataclass

T = TypeVar("T")

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

OPTIONAL_TENSOR = -1
"""Index that stands for an omitted optional input (kTfLiteOptionalTensor)."""


class TensorType(enum.IntEnum):
    """Element types, with the values of the schema's ``TensorType``."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    UINT8 = 3
    INT64 = 4
    STRING = 5
    BOOL = 6
    INT16 = 7
    COMPLEX64 = 8
    INT8 = 9
    FLOAT64 = 10
    COMPLEX128 = 11
    UINT64 = 12
    RESOURCE = 13
    VARIANT = 14
    UINT32 = 15
    UINT16 = 16
    INT4 = 17
    BFLOAT16 = 18
    INT2 = 19
    UINT4 = 20
    FLOAT8_E4M3FN = 21
    FLOAT8_E5M2 = 22


BITS_STORED: Mapping[TensorType, int] = MappingProxyType(
    {
        TensorType.FLOAT32: 32,
        TensorType.FLOAT16: 16,
        TensorType.INT32: 32,
        TensorType.UINT8: 8,
        TensorType.INT64: 64,
        TensorType.BOOL: 8,
        TensorType.INT16: 16,
        TensorType.COMPLEX64: 64,
        TensorType.INT8: 8,
        TensorType.FLOAT64: 64,
        TensorType.COMPLEX128: 128,
        TensorType.UINT64: 64,
        TensorType.RESOURCE: 32,
        TensorType.UINT32: 32,
        TensorType.UINT16: 16,
        TensorType.INT4: 4,
        TensorType.BFLOAT16: 16,
        TensorType.INT2: 2,
        TensorType.UINT4: 4,
        TensorType.FLOAT8_E4M3FN: 8,
        TensorType.FLOAT8_E5M2: 8,
    }
)
"""Bits of one element in the flatbuffer; sub-byte types are packed. STRING, VARIANT: none."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation: real = scale * (stored - zero_point).

    ``scales`` has one element for per-tensor and one per channel of ``dimension`` for
    per-channel quantisation. Both tuples are non-empty.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    dimension: int = 0

    @property
    def scale(self) -> float:
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        return self.zero_points[0]

    @property
    def is_per_channel(self) -> bool:
        return len(self.scales) > 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph.

    ``shape`` is () for a scalar. ``data`` holds the constant's bytes (sub-byte types packed) and
    is None for tensors that are computed. ``quantization`` is None unless the file has both
    scales and zero points, as TFLM ignores the rest.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: TensorType
    data: memoryview | None = field(default=None, repr=False, compare=False)
    quantization: Quantization | None = field(default=None, repr=False)
    is_variable: bool = False
    has_shape: bool = True

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def is_whole(self) -> bool:
        """Whether it is a constant of which the file holds all values."""
        return self.data is not None and self.data.nbytes >= self.stored_bytes

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """Bytes of the tensor's values in a flatbuffer (sub-byte types packed)."""
        return (self.elements * BITS_STORED.get(self.type, 0) + 7) // 8

    @property
    def stored_data_bytes(self) -> int:
        """Bytes of constant data that the file really holds (0 for computed tensors)."""
        return 0 if self.data is None else self.data.nbytes


CUSTOM_PREFIX = "CUSTOM:"
"""What stands before custom codes in labels."""


def operator_label(name: str, is_custom: bool) -> str:
    """The name with ``CUSTOM:`` before custom codes, which are anyone's, on one line."""
    return CUSTOM_PREFIX + printable(name) if is_custom else name


MAX_OLDER_CODE = 127
"""What the old 8-bit field of an operator code holds for codes that do not fit it."""


class OperatorCode(NamedTuple):
    """What the file's table of operator codes says of an operator; fields as in ``Operator``."""

    name: str
    is_custom: bool
    version: int
    has_newer_code: bool
    has_older_code: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """One node. ``name`` is the schema's builtin name, or the custom code for custom operators.

    ``options`` holds the fields of the builtin options table in snake case, vectors as tuples;
    it is empty where the file has no options table; ``options_type`` is the table's name.
    ``has_newer_code`` is False where the file has only the old 8-bit operator code, at which
    TFLM's lifetime marking of control flow does not look; ``has_older_code`` is False where it
    has only the newer one, which TFLM before 2021 does not read.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: NO_OPTIONS, repr=False)
    custom_options: bytes | None = field(default=None, repr=False)
    is_custom: bool = False
    version: int = 1
    has_newer_code: bool = True
    has_older_code: bool = True

    @property
    def code(self) -> OperatorCode:
        """Its entry in the table of operator codes."""
        return OperatorCode(
            self.name, self.is_custom, self.version, self.has_newer_code, self.has_older_code
        )

    @property
    def label(self) -> str:
        """The name with ``CUSTOM:`` before custom codes, as reports print it."""
        return operator_label(self.name, self.is_custom)

    def options_in(self, table: str) -> Mapping[str, Any]:
        """The options where they are of this table, else none, as TFLM's parsers read them."""
        return self.options if self.options.get("options_type", table) == table else NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Tensors and operators in file order; ``inputs`` and ``outputs`` are tensor indices."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A whole model. ``metadata`` maps names to raw bytes, the last of equal names winning.

    ``flatbuffer_bytes`` is the size of the file, 0 for graphs that were not read from one.
    ``unused_codes`` are labels of operators that the file lists but no node uses; a resolver
    generated from the file links them all the same.
    """

    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, memoryview] = field(default_factory=lambda: NO_OPTIONS, repr=False)
    description: str = ""
    flatbuffer_bytes: int = 0
    unused_codes: tuple[str, ...] = ()

    @property
    def main(self) -> Subgraph:
        return self.subgraphs[0]

    @cached_property
    def operator_labels(self) -> frozenset[str]:
        """Labels of the operators in all subgraphs."""
        kinds = {(op.name, op.is_custom) for each in self.subgraphs for op in each.operators}
        return frozenset(operator_label(*kind) for kind in kinds)

    @property
    def tensor_count(self) -> int:
        return sum(len(subgraph.tensors) for subgraph in self.subgraphs)

    @cached_property
    def part_count(self) -> int:
        """Subgraphs, tensors, operators, inputs and outputs: what work is in proportion to."""
        return sum(
            1 + len(each.tensors) + len(each.operators) + len(each.inputs) + len(each.outputs)
            for each in self.subgraphs
        )


def once(find: Callable[[Graph], T]) -> Callable[[Graph], T]:
    """A function that looks at a graph the first time, and then knows what it found."""

    @wraps(find)
    def found(graph: Graph) -> T:
        known = graph.__dict__.setdefault("_found", {})
        if find not in known:
            known[find] = find(graph)
        result: T = known[find]
        return result

    return found
