"""Writes a :class:`~predictor.model.graph.Graph` as a ``.tflite`` flatbuffer.

The inverse of the reader: reading what was written gives an equal graph. What a graph does not
hold (sparsity, signatures, min/max statistics) is not written.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

from predictor.errors import UsageError
from predictor.model.flatbuffer_size import SizeBuilder
from predictor.model.graph import (
    CUSTOM_PREFIX,
    MAX_OLDER_CODE,
    Graph,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
)
from predictor.model.schema import (
    FILE_IDENTIFIER,
    NUMBERS,
    SCHEMA_VERSION,
    enum,
    fields,
    options_fields,
)

BUFFER_ALIGNMENT = 16
"""Bytes; the schema's ``force_align`` of ``Buffer.data``, on which kernels rely."""

_BUILTIN_CODES = enum("BuiltinOperator")
_OPTIONS_CODES = enum("BuiltinOptions")
_OPTIONS2_CODES = enum("BuiltinOptions2")


def write_model(graph: Graph) -> bytes:
    """Returns the bytes of a ``.tflite`` file; equal graphs give equal bytes.

    Tensors whose ``data`` is the same object share one buffer.

    Raises:
        UsageError: an operator or an option is not in the schema, or a value does not fit it.
    """
    writer = Writer(graph, flatbuffers.Builder(4096))
    writer.model()
    return bytes(writer.builder.Output())


def file_bytes(graph: Graph) -> int:
    """The length of what :func:`write_model` returns, at a fraction of its time.

    Raises:
        UsageError: as :func:`write_model`, but for values that do not fit.
    """
    return Sizer(graph, SizeBuilder()).file_bytes()


class Writer:
    """One file being written, from its end to its start as flatbuffers are.

    Equal shapes, quantisations and options are written once and shared.
    """

    def __init__(self, graph: Graph, builder: Any) -> None:
        self._graph = graph
        self.builder = builder
        self._buffers: list[memoryview | bytes] = [b""]
        self._buffer_of: dict[int, int] = {}
        self._codes: dict[OperatorCode, int] = {}
        self._written: dict[Any, int] = {}
        self._places: dict[tuple[int, str], int] = {}
        self._kept: list[Sequence[float]] = []
        """Objects whose identities are keys, so that no other gets them."""

    def model(self) -> None:
        subgraphs = [self._subgraph(subgraph) for subgraph in self._graph.subgraphs]
        metadata = [self._metadata(name, raw) for name, raw in self._graph.metadata.items()]
        for label in self._graph.unused_codes:
            name = label.removeprefix(CUSTOM_PREFIX)
            code = OperatorCode(name, label.startswith(CUSTOM_PREFIX), 1, True, True)
            self._codes.setdefault(code, len(self._codes))
        # Constants come last, so that the tables in front of them lie close together.
        tables = {
            "operator_codes": self._tables([self._operator_code(code) for code in self._codes]),
            "subgraphs": self._tables(subgraphs),
            "description": self._string(self._graph.description),
            "metadata": self._tables(metadata),
            "buffers": self._data(),
        }
        found = {"version": SCHEMA_VERSION}
        for name, position in tables.items():
            if name != "metadata" or metadata:
                found[name] = position
        self.builder.Finish(self._table("Model", found), FILE_IDENTIFIER)

    def _table(self, kind: str, values: Mapping[str, Any]) -> int:
        """A table of numbers, and of positions of what it leads to. Defaults are not written."""
        builder, known = self.builder, fields(kind)
        builder.StartObject(max((field.slot for field in known.values()), default=-1) + 1)
        for name, value in values.items():
            slot, _, number, is_vector, default = known[name]
            if is_vector or number not in NUMBERS:
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                prepend = getattr(builder, f"Prepend{number.capitalize()}Slot")
                prepend(slot, value, default)
        return int(builder.EndObject())

    # Vectors.

    def _tables(self, positions: Sequence[int]) -> int:
        builder = self.builder
        builder.StartVector(4, len(positions), 4)
        for position in reversed(positions):
            builder.PrependUOffsetTRelative(position)
        return int(builder.EndVector())

    def _numbers(self, values: Sequence[float], dtype: str) -> int:
        # Long vectors are often one object: its identity is found faster than its content.
        place = (id(values), dtype)
        position = self._places.get(place)
        if position is None:
            key = (dtype, values)
            position = self._written.get(key)
            if position is None:
                position = self._written[key] = self._new_vector(values, dtype)
            self._places[place] = position
            self._kept.append(values)
        return position

    def _new_vector(self, values: Sequence[float], dtype: str) -> int:
        return int(self.builder.CreateNumpyVector(np.array(values, dtype=dtype)))

    def _string(self, text: str) -> int:
        return int(self.builder.CreateString(text))

    def _bytes(self, data: memoryview | bytes, alignment: int) -> int:
        self.builder.Prep(alignment, len(data))
        return int(self.builder.CreateByteVector(bytes(data)))

    # Tables.

    def _tensors(self, subgraph: Subgraph) -> int:
        return self._tables([self._tensor(tensor) for tensor in subgraph.tensors])

    def _operators(self, subgraph: Subgraph) -> int:
        return self._tables([self._operator(op) for op in subgraph.operators])

    def _data(self) -> int:
        return self._tables([self._buffer(data) for data in self._buffers])

    def _buffer(self, data: memoryview | bytes) -> int:
        position = self._bytes(data, BUFFER_ALIGNMENT) if len(data) else None
        return self._table("Buffer", {} if position is None else {"data": position})

    def _metadata(self, name: str, raw: memoryview) -> int:
        self._buffers.append(raw)
        position = self._string(name)
        return self._table("Metadata", {"name": position, "buffer": len(self._buffers) - 1})

    def _operator_code(self, code: OperatorCode) -> int:
        name = code.name
        builtin = _BUILTIN_CODES.get("CUSTOM" if code.is_custom else name)
        if builtin is None:
            raise UsageError(
                f"{name} is not a builtin operator of the TensorFlow Lite schema; give custom "
                "operators as custom"
            )
        custom = self._string(name) if code.is_custom else None
        found: dict[str, int] = {}
        if code.has_older_code:
            found["deprecated_builtin_code"] = min(builtin, MAX_OLDER_CODE)
        if custom is not None:
            found["custom_code"] = custom
        found["version"] = code.version
        if code.has_newer_code:
            found["builtin_code"] = builtin
        return self._table("OperatorCode", found)

    def _subgraph(self, subgraph: Subgraph) -> int:
        tensors, operators = self._tensors(subgraph), self._operators(subgraph)
        found = {
            "tensors": tensors,
            "inputs": self._numbers(subgraph.inputs, "int32"),
            "outputs": self._numbers(subgraph.outputs, "int32"),
            "operators": operators,
        }
        if subgraph.name:
            found["name"] = self._string(subgraph.name)
        return self._table("SubGraph", found)

    def _buffer_index(self, data: memoryview | None) -> int:
        """Index of the buffer of a constant; 0, the empty one, for computed tensors."""
        if data is None:
            return 0
        index = self._buffer_of.get(id(data))
        if index is None:
            index = self._buffer_of[id(data)] = len(self._buffers)
            self._buffers.append(data)
        return index

    def _tensor(self, tensor: Tensor) -> int:
        name = self._string(tensor.name)
        found: dict[str, Any] = {}
        if tensor.has_shape:
            found["shape"] = self._numbers(tensor.shape, "int32")
        quantization = self._quantization(tensor.quantization)
        found |= {"type": tensor.type, "buffer": self._buffer_index(tensor.data), "name": name}
        if quantization is not None:
            found["quantization"] = quantization
        if tensor.is_variable:
            found["is_variable"] = True
        return self._table("Tensor", found)

    def _quantization(self, quantization: Quantization | None) -> int | None:
        if quantization is None:
            return None
        scales = self._numbers(quantization.scales, "float32")
        zero_points = self._numbers(quantization.zero_points, "int64")
        # Equal vectors are one, and their places take less hashing than their content.
        key = (scales, zero_points, quantization.dimension)
        position = self._written.get(key)
        if position is None:
            found = dict(zip(("scale", "zero_point", "quantized_dimension"), key, strict=True))
            position = self._table("QuantizationParameters", found)
            self._written[key] = position
        return position

    def _operator(self, op: Operator) -> int:
        found = {
            "opcode_index": self._codes.setdefault(op.code, len(self._codes)),
            "inputs": self._numbers(op.inputs, "int32"),
            "outputs": self._numbers(op.outputs, "int32"),
        }
        if op.intermediates:
            found["intermediates"] = self._numbers(op.intermediates, "int32")
        if op.custom_options is not None:
            found["custom_options"] = self._bytes(op.custom_options, 1)
        options = self._options(op)
        if options is not None:
            kind, position = options
            name = "builtin_options" if kind in _OPTIONS_CODES else "builtin_options2"
            found[f"{name}_type"] = _OPTIONS_CODES.get(kind) or _OPTIONS2_CODES[kind]
            found[name] = position
        return self._table("Operator", found)

    def _options(self, op: Operator) -> tuple[str, int] | None:
        if not op.options:
            return None
        class_name = op.options.get("options_type", "NONE")
        is_known = class_name in _OPTIONS_CODES or class_name in _OPTIONS2_CODES
        if class_name == "NONE" or not is_known:
            raise UsageError(
                f"operator {op.index} ({op.name}) has the options table {class_name!r}, which is "
                "not in the TensorFlow Lite schema; name one as its option 'options_type'"
            )
        key = tuple(sorted(op.options.items(), key=lambda item: item[0]))
        position = self._written.get(key)
        if position is None:
            try:
                position = self._options_table(class_name, op.options)
            except (TypeError, ValueError, OverflowError, struct.error) as error:
                raise UsageError(
                    f"operator {op.index} ({op.name}): its options do not fit {class_name}: {error}"
                ) from error
            self._written[key] = position
        return class_name, position

    def _options_table(self, class_name: str, options: Mapping[str, Any]) -> int:
        known = {field.name: field for field in options_fields(class_name)}
        unknown = options.keys() - known.keys() - {"options_type"}
        if unknown:
            names = ", ".join(known) or "no fields"
            raise ValueError(f"{', '.join(sorted(unknown))} unknown (it has {names})")
        values: dict[str, Any] = {}
        for name, field in known.items():
            value = options.get(name)
            if value is None or (field.is_vector and not value):
                continue
            if field.is_vector:
                value = self._numbers(tuple(value), field.kind)
            elif field.kind == "string":
                value = self._string(value)
            values[name] = value
        return self._table(class_name, values)


class Sizer(Writer):
    """A writer that only counts: vectors need no content."""

    builder: SizeBuilder

    def file_bytes(self) -> int:
        self.model()
        return int(self.builder.Offset())

    def _tables(self, positions: Sequence[int]) -> int:
        return int(self.builder.vector(len(positions), 4))

    def _new_vector(self, values: Sequence[float], dtype: str) -> int:
        return int(self.builder.vector(len(values), np.dtype(dtype).itemsize))

    def _bytes(self, data: memoryview | bytes, alignment: int) -> int:
        self.builder.Prep(alignment, len(data))
        return int(self.builder.vector(len(data), 1))
