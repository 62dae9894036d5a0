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
import tflite

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
    BUILTIN_NAMES,
    FILE_IDENTIFIER,
    OPTIONS2_NAMES,
    OPTIONS_NAMES,
    SCHEMA_VERSION,
    field_type,
    options_fields,
)

BUFFER_ALIGNMENT = 16
"""Bytes; the schema's ``force_align`` of ``Buffer.data``, on which kernels rely."""

_BUILTIN_CODES = {name: code for code, name in BUILTIN_NAMES.items()}
_OPTIONS_CODES = {name: code for code, name in OPTIONS_NAMES.items()}
_OPTIONS2_CODES = {name: code for code, name in OPTIONS2_NAMES.items()}


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
            "OperatorCodes": self._tables([self._operator_code(code) for code in self._codes]),
            "Subgraphs": self._tables(subgraphs),
            "Description": self._string(self._graph.description),
            "Metadata": self._tables(metadata),
            "Buffers": self._data(),
        }
        tflite.ModelStart(self.builder)
        tflite.ModelAddVersion(self.builder, SCHEMA_VERSION)
        for field, position in tables.items():
            if field != "Metadata" or metadata:
                getattr(tflite, "ModelAdd" + field)(self.builder, position)
        self.builder.Finish(tflite.ModelEnd(self.builder), FILE_IDENTIFIER)

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
        tflite.BufferStart(self.builder)
        if position is not None:
            tflite.BufferAddData(self.builder, position)
        return int(tflite.BufferEnd(self.builder))

    def _metadata(self, name: str, raw: memoryview) -> int:
        self._buffers.append(raw)
        position = self._string(name)
        tflite.MetadataStart(self.builder)
        tflite.MetadataAddName(self.builder, position)
        tflite.MetadataAddBuffer(self.builder, len(self._buffers) - 1)
        return int(tflite.MetadataEnd(self.builder))

    def _operator_code(self, code: OperatorCode) -> int:
        name = code.name
        builtin = _BUILTIN_CODES.get("CUSTOM" if code.is_custom else name)
        if builtin is None:
            raise UsageError(
                f"{name} is not a builtin operator of the TensorFlow Lite schema; give custom "
                "operators as custom"
            )
        custom = self._string(name) if code.is_custom else None
        tflite.OperatorCodeStart(self.builder)
        if code.has_older_code:
            older = min(builtin, MAX_OLDER_CODE)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(self.builder, older)
        if custom is not None:
            tflite.OperatorCodeAddCustomCode(self.builder, custom)
        tflite.OperatorCodeAddVersion(self.builder, code.version)
        if code.has_newer_code:
            tflite.OperatorCodeAddBuiltinCode(self.builder, builtin)
        return int(tflite.OperatorCodeEnd(self.builder))

    def _subgraph(self, subgraph: Subgraph) -> int:
        tensors, operators = self._tensors(subgraph), self._operators(subgraph)
        inputs = self._numbers(subgraph.inputs, "int32")
        outputs = self._numbers(subgraph.outputs, "int32")
        name = self._string(subgraph.name) if subgraph.name else None
        builder = self.builder
        tflite.SubGraphStart(builder)
        tflite.SubGraphAddTensors(builder, tensors)
        tflite.SubGraphAddInputs(builder, inputs)
        tflite.SubGraphAddOutputs(builder, outputs)
        tflite.SubGraphAddOperators(builder, operators)
        if name is not None:
            tflite.SubGraphAddName(builder, name)
        return int(tflite.SubGraphEnd(builder))

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
        builder = self.builder
        name = self._string(tensor.name)
        shape = self._numbers(tensor.shape, "int32") if tensor.has_shape else None
        quantization = self._quantization(tensor.quantization)
        tflite.TensorStart(builder)
        if shape is not None:
            tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, int(tensor.type))
        tflite.TensorAddBuffer(builder, self._buffer_index(tensor.data))
        tflite.TensorAddName(builder, name)
        if quantization is not None:
            tflite.TensorAddQuantization(builder, quantization)
        if tensor.is_variable:
            tflite.TensorAddIsVariable(builder, True)
        return int(tflite.TensorEnd(builder))

    def _quantization(self, quantization: Quantization | None) -> int | None:
        if quantization is None:
            return None
        scales = self._numbers(quantization.scales, "float32")
        zero_points = self._numbers(quantization.zero_points, "int64")
        # Equal vectors are one, and their places take less hashing than their content.
        key = (scales, zero_points, quantization.dimension)
        position = self._written.get(key)
        if position is None:
            tflite.QuantizationParametersStart(self.builder)
            tflite.QuantizationParametersAddScale(self.builder, scales)
            tflite.QuantizationParametersAddZeroPoint(self.builder, zero_points)
            tflite.QuantizationParametersAddQuantizedDimension(self.builder, quantization.dimension)
            position = int(tflite.QuantizationParametersEnd(self.builder))
            self._written[key] = position
        return position

    def _operator(self, op: Operator) -> int:
        builder = self.builder
        inputs = self._numbers(op.inputs, "int32")
        outputs = self._numbers(op.outputs, "int32")
        intermediates = self._numbers(op.intermediates, "int32") if op.intermediates else None
        custom = None if op.custom_options is None else self._bytes(op.custom_options, 1)
        options = self._options(op)
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, self._codes.setdefault(op.code, len(self._codes)))
        tflite.OperatorAddInputs(builder, inputs)
        tflite.OperatorAddOutputs(builder, outputs)
        if intermediates is not None:
            tflite.OperatorAddIntermediates(builder, intermediates)
        if custom is not None:
            tflite.OperatorAddCustomOptions(builder, custom)
        if options is not None:
            class_name, position = options
            if class_name in _OPTIONS_CODES:
                tflite.OperatorAddBuiltinOptionsType(builder, _OPTIONS_CODES[class_name])
                tflite.OperatorAddBuiltinOptions(builder, position)
            else:
                tflite.OperatorAddBuiltinOptions2Type(builder, _OPTIONS2_CODES[class_name])
                tflite.OperatorAddBuiltinOptions2(builder, position)
        return int(tflite.OperatorEnd(builder))

    def _options(self, op: Operator) -> tuple[str, int] | None:
        if not op.options:
            return None
        class_name = op.options.get("options_type", "NONE")
        if class_name == "NONE" or class_name not in _OPTIONS_CODES | _OPTIONS2_CODES:
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
        fields = {field.name: field for field in options_fields(class_name)}
        unknown = options.keys() - fields.keys() - {"options_type"}
        if unknown:
            known = ", ".join(fields) or "no fields"
            raise ValueError(f"{', '.join(sorted(unknown))} unknown (it has {known})")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            value = options.get(name)
            if value is None or (field.is_vector and not value):
                continue
            kind = field_type(class_name, field)
            if field.is_vector:
                value = self._numbers(tuple(value), kind)
            elif kind == "string":
                value = self._string(value)
            values[field.accessor] = value
        getattr(tflite, class_name + "Start")(self.builder)
        for accessor, value in values.items():
            getattr(tflite, f"{class_name}Add{accessor}")(self.builder, value)
        return int(getattr(tflite, class_name + "End")(self.builder))


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
