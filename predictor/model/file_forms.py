"""The length of a file from the forms of its tensors and operators, without their content.

The writer itself counts each form once for each place where it may stand: what a part adds to a
file hangs on its own form, on the vectors that are in the file already, and on its alignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from predictor.model.flatbuffer_size import Added, SizeBuilder
from predictor.model.graph import (
    Graph,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)
from predictor.model.tflite_writer import BUFFER_ALIGNMENT, Sizer
from predictor.records import dataclass

_REMEMBERED = 65_536
_OTHER = OperatorCode("", False, 1, True, True)
_NUMBERS = count()
Vtables = frozenset[tuple[int, ...]]
Options = tuple[tuple[str, Any], ...]


class TensorPart(NamedTuple):
    """A tensor without the content of its vectors; ``repeats``: another has its quantisation.

    ``shape`` and ``zero_points`` number its vectors among those of its group.
    """

    name_bytes: int
    rank: int
    type: TensorType
    is_constant: bool
    scales: int
    dimension: int
    repeats: bool
    shape: int
    zero_points: int
    zero_point_count: int


@dataclass(frozen=True, eq=False)
class GroupParts:
    """Parts of tensors that follow one another; equal ones are one object."""

    tensors: tuple[TensorPart, ...]


@dataclass(frozen=True, eq=False)
class OperatorPart:
    """An operator without its tensors; equal ones are one object.

    ``options`` are the items of its options, and ``options_number`` equal where these are.
    """

    code: OperatorCode
    options: Options
    options_number: int


class TensorGroup(NamedTuple):
    """Quantised tensors that follow one another in a file.

    ``vectors`` are their distinct shapes and zero points. ``data_bytes`` is what their constants
    take beyond the remainders ``data_ends``, from 1 byte to the alignment of buffers.
    """

    parts: GroupParts
    vectors: tuple[tuple[int | str, ...], ...]
    data_bytes: int
    data_ends: tuple[int, ...]


class OperatorForm(NamedTuple):
    part: OperatorPart
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def tensor_group(tensors: Sequence[Tensor], earlier: Quantization | None = None) -> TensorGroup:
    """The form of tensors of which each has equal zero points and scales that no other has.

    Args:
        earlier: a quantisation that an earlier tensor of the file has, and these may repeat.
    """
    numbers: dict[tuple[int | str, ...], int] = {}
    parts, ends, whole = [], [], 0
    for tensor in tensors:
        quantization = tensor.quantization
        assert quantization is not None
        zero_points = quantization.zero_points
        assert zero_points.count(zero_points[0]) == len(zero_points)
        vectors = tensor.shape, ("zero points", zero_points[0], len(zero_points))
        shape, zeros = (numbers.setdefault(vector, len(numbers)) for vector in vectors)
        part = TensorPart(
            len(tensor.name.encode()),
            len(tensor.shape),
            tensor.type,
            tensor.is_constant,
            len(quantization.scales),
            quantization.dimension,
            quantization == earlier,
            shape,
            zeros,
            len(zero_points),
        )
        parts.append(part)
        if tensor.data is not None:
            ends.append((tensor.data.nbytes - 1) % BUFFER_ALIGNMENT + 1)
            whole += tensor.data.nbytes - ends[-1]
    return TensorGroup(_group_parts(tuple(parts)), tuple(numbers), whole, tuple(ends))


def operator_part(op: Operator) -> OperatorPart:
    """The part of a builtin operator with options of plain numbers and texts."""
    return _operator_part(op.code, tuple(op.options.items()))


_group_parts = lru_cache(_REMEMBERED)(GroupParts)


@lru_cache(_REMEMBERED)
def _operator_part(code: OperatorCode, options: Options) -> OperatorPart:
    return OperatorPart(code, options, _options_number(options))


@lru_cache(_REMEMBERED)
def _options_number(options: Options) -> int:
    return next(_NUMBERS)


def forms_bytes(
    name: str,
    groups: Sequence[TensorGroup],
    operators: Sequence[OperatorForm],
    ends: tuple[int, int],
) -> int:
    """What :func:`~predictor.model.tflite_writer.file_bytes` says of the graph of these forms.

    Args:
        name: description of the graph, whose only subgraph is called "main".
        ends: the input and the output tensor.
    """
    first, last = ends
    graph = Graph((Subgraph(0, "main", (), (), (first,), (last,)),), description=name)
    return _FormSizer(graph, groups, operators).file_bytes()


class _FormSizer(Sizer):
    """A sizer that asks :func:`_tensors`, :func:`_operator` and :func:`_buffers` for the parts."""

    def __init__(
        self, graph: Graph, groups: Sequence[TensorGroup], operators: Sequence[OperatorForm]
    ) -> None:
        super().__init__(graph, SizeBuilder())
        self._groups, self._operator_forms = groups, operators
        self._vectors: set[tuple[int | str, ...]] = set()

    def _tensors(self, subgraph: Subgraph) -> int:
        offset, vtables, in_file = self.builder.Offset(), self.builder.vtables, self._vectors
        tensors = 0
        for parts, vectors, _, _ in self._groups:
            known = tuple(map(in_file.__contains__, vectors))
            size, alignment, vtables = _tensors(parts, known, offset & 15, vtables)
            offset += size
            in_file.update(vectors)
            tensors += len(parts.tensors)
        self.builder.add(Added(offset - self.builder.Offset(), alignment, vtables))
        return self.builder.vector(tensors, 4)

    def _operators(self, subgraph: Subgraph) -> int:
        offset, vtables, in_file = self.builder.Offset(), self.builder.vtables, self._vectors
        options: set[int] = set()
        for part, inputs, outputs in self._operator_forms:
            known = (inputs in in_file, outputs in in_file, part.options_number in options)
            is_first = self._codes.setdefault(part.code, len(self._codes)) == 0
            ends = (len(inputs), len(outputs))
            size, _, vtables = _operator(part, ends, is_first, known, offset & 15, vtables)
            offset += size
            in_file.add(inputs)
            in_file.add(outputs)
            options.add(part.options_number)
        self.builder.add(Added(offset - self.builder.Offset(), 4, vtables))
        for end in (subgraph.inputs, subgraph.outputs):
            if end in in_file:
                self._written["int32", end] = offset
        return self.builder.vector(len(self._operator_forms), 4)

    def _data(self) -> int:
        self._buffer(b"")
        offset, vtables = self.builder.Offset(), self.builder.vtables
        buffers, alignment = 1, 1
        for _, _, whole, ends in self._groups:
            if ends:
                size, alignment, vtables = _buffers(ends, offset & 15, vtables)
                offset += size + whole
                buffers += len(ends)
        self.builder.add(Added(offset - self.builder.Offset(), alignment, vtables))
        return self.builder.vector(buffers, 4)


def _sizer() -> Sizer:
    return Sizer(Graph(()), SizeBuilder())


@lru_cache(_REMEMBERED)
def _tensors(parts: GroupParts, known: tuple[bool, ...], offset: int, vtables: Vtables) -> Added:
    """``known``: whether the group's vectors are in the file, by number."""
    sizer = _sizer()
    tensors: list[Tensor] = []
    for part in parts.tensors:
        shape, zeros = (part.shape,) * part.rank, (part.zero_points,) * part.zero_point_count
        # Scales of another length or tensor are others.
        scales = (float(len(tensors)),) * part.scales
        quantization = Quantization(scales, zeros, part.dimension)
        if known[part.shape]:
            sizer._numbers(shape, "int32")
        if known[part.zero_points]:
            sizer._numbers(zeros, "int64")
        if part.repeats:
            sizer._quantization(quantization)
        data = memoryview(b"\0") if part.is_constant else None
        tensors.append(Tensor(0, "a" * part.name_bytes, shape, part.type, data, quantization))
    sizer.builder = SizeBuilder(offset, vtables)
    for tensor in tensors:
        sizer._tensor(tensor)
    return sizer.builder.added


@lru_cache(_REMEMBERED)
def _operator(
    part: OperatorPart,
    ends: tuple[int, int],
    is_first: bool,
    known: tuple[bool, bool, bool],
    offset: int,
    vtables: Vtables,
) -> Added:
    """``is_first`` of the file's codes; ``known``: inputs, outputs and options in the file."""
    sizer = _sizer()
    code = part.code
    inputs, outputs = (1,) * ends[0], (2,) * ends[1]
    op = Operator(0, code.name, inputs, outputs, options=dict(part.options), version=code.version)
    assert op.code == code
    for vector, is_known in ((inputs, known[0]), (outputs, known[1])):
        if is_known:
            sizer._numbers(vector, "int32")
    if known[2]:
        sizer._options(op)
    if not is_first:
        sizer._codes[_OTHER] = 0
    sizer.builder = SizeBuilder(offset, vtables)
    sizer._operator(op)
    return sizer.builder.added


@lru_cache(_REMEMBERED)
def _buffers(sizes: tuple[int, ...], offset: int, vtables: Vtables) -> Added:
    sizer = _sizer()
    sizer.builder = SizeBuilder(offset, vtables)
    for size in sizes:
        sizer._buffer(bytes(size))
    return sizer.builder.added
