"""Reads ``.tflite`` flatbuffers into :class:`~predictor.model.graph.Graph`.

A hostile file costs little time and memory (:mod:`~predictor.model.flatbuffer`): it is a graph in
which every index is in range, or it ends in a ``ModelError``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from predictor.errors import ModelError
from predictor.model.containers import folder_words, unwrapped
from predictor.model.flatbuffer import Flatbuffer, Table
from predictor.model.graph import (
    MAX_OLDER_CODE,
    NO_OPTIONS,
    OPTIONAL_TENSOR,
    Graph,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
    operator_label,
)
from predictor.model.schema import (
    BUILTIN_NAMES,
    FILE_IDENTIFIER,
    OPTIONS2_NAMES,
    OPTIONS_NAMES,
    SCHEMA_VERSION,
    enum,
    options_fields,
)

MAX_FILE_BYTES = 256 << 20
"""Larger files cannot run on any microcontroller; they are refused unread."""
MAX_RANK = 64
INT32_MAX = 2**31 - 1
_OPERATOR_WEIGHT = 2
"""An operator is as much work as two tensors, and takes as many bytes with what it lists."""

_FOREIGN_FORMATS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5)"),
    (b"PK\x03\x04", "a zip archive (Keras .keras, PyTorch or similar)"),
    (b"\x08", "a protocol buffer (ONNX or a TensorFlow graph)"),
    (b"\x0a", "a protocol buffer (ONNX or a TensorFlow graph)"),
)

ModelSource = str | os.PathLike[str] | bytes | bytearray | memoryview


def load_bytes(path: str | os.PathLike[str]) -> bytes:
    """Returns the bytes of a model: of a ``.tflite`` file, or of the model in a C array or in a
    gzip file.

    Raises:
        ModelError: the path is missing, not a regular file, unreadable or too large, or of another
            kind that is known; says of which.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            words = folder_words(os.fspath(path), os.listdir(path))
            raise ModelError(f"{path} is a directory: {words}")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is not a regular file; name a .tflite file")
        if status.st_size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path} has {status.st_size:,} bytes; models of more than "
                f"{MAX_FILE_BYTES:,} bytes are not read, as no microcontroller can hold them"
            )
        return unwrapped(Path(path).read_bytes(), os.fspath(path), MAX_FILE_BYTES)
    except FileNotFoundError:
        raise ModelError(f"no such file: {path}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"cannot read {path}: {reason}") from error


def read_graph(source: ModelSource) -> Graph:
    """Reads a model from a path or from the bytes of a file.

    Raises:
        ModelError: the file is not a well-formed TensorFlow Lite model; says what and where.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    else:
        content = load_bytes(source)
    if len(content) > _MOST_KEPT_BYTES:
        return _read(content)
    return _read_before(content)


_MOST_KEPT_BYTES = 1_000_000


def _read(content: bytes) -> Graph:
    _check_identifier(content)
    return _Reader(content).graph()


_read_before = lru_cache(maxsize=8)(_read)
"""For one model on several boards, or under several TFLMs: it is read once."""


def _check_identifier(content: bytes) -> None:
    if not content:
        raise ModelError("the file is empty")
    if len(content) < 16:
        raise ModelError(f"the file is truncated: {len(content)} bytes cannot hold a model")
    if content[4:8] != FILE_IDENTIFIER:
        for magic, kind in _FOREIGN_FORMATS:
            if content.startswith(magic):
                raise ModelError(f"this is {kind}, not a .tflite file; convert it first")
        raise ModelError(
            f"not a .tflite file: identifier {content[4:8]!r} instead of {FILE_IDENTIFIER!r}"
        )


_TENSOR_TYPES = {int(member): member for member in TensorType}
_CUSTOM = enum("BuiltinOperator")["CUSTOM"]

Buffers = list[memoryview | None]


class _Reader:
    """One pass over one file. Equal options, shapes and quantisations become one object."""

    def __init__(self, content: bytes) -> None:
        self._file = Flatbuffer(content)
        self._options_of: dict[Any, Mapping[str, Any]] = {}
        self._quantization_of: dict[int, Quantization | None] = {}
        self._sound_shapes: set[tuple[int, ...]] = set()

    def graph(self) -> Graph:
        model = self._file.root("Model", "model")
        version = model.number("version")
        if version != SCHEMA_VERSION:
            raise ModelError(f"schema version {version} is not supported (only {SCHEMA_VERSION})")
        codes = [
            _code(table)
            for table in model.tables("operator_codes", "OperatorCode", "OperatorCodes")
        ]
        buffers = [table.bytes("data") for table in model.tables("buffers", "Buffer", "buffer")]
        subgraphs = tuple(
            self._subgraph(index, table, codes, buffers)
            for index, table in enumerate(model.tables("subgraphs", "SubGraph", "subgraph"))
        )
        if not subgraphs:
            raise ModelError("the model has no subgraph")
        main = subgraphs[0]
        if not main.operators and not (main.outputs and set(main.outputs) <= set(main.inputs)):
            raise ModelError("the model has no operator: nothing computes its outputs")
        graph = Graph(
            subgraphs=subgraphs,
            metadata=_metadata(model, buffers),
            description=model.text("description") or "",
            flatbuffer_bytes=len(self._file.content),
        )
        listed = {operator_label(name, is_custom) for name, is_custom, *_ in codes}
        return replace(graph, unused_codes=tuple(sorted(listed - graph.operator_labels)))

    def _subgraph(
        self, index: int, table: Table, codes: list[OperatorCode], buffers: Buffers
    ) -> Subgraph:
        tensors = tuple(
            self._tensor(position, tensor, buffers)
            for position, tensor in enumerate(table.tables("tensors", "Tensor", "tensor"))
        )
        operators = tuple(
            self._operator(position, operator, codes, len(tensors))
            for position, operator in enumerate(
                table.tables("operators", "Operator", "operator", _OPERATOR_WEIGHT)
            )
        )
        inputs, outputs = table.numbers("inputs"), table.numbers("outputs")
        for what, indices in (("input", inputs), ("output", outputs)):
            tensor = _outside(indices, 0, len(tensors))
            if tensor is not None:
                raise ModelError(
                    f"{what} of subgraph {index} names tensor {tensor}, which is absent"
                )
        name = table.text("name") or ""
        subgraph = Subgraph(index, name, tensors, operators, inputs, outputs)
        _check_order(subgraph)
        return subgraph

    def _tensor(self, index: int, table: Table, buffers: Buffers) -> Tensor:
        number = table.number("type")
        kind, name = _TENSOR_TYPES.get(number), table.text("name") or ""
        if kind is None:
            raise ModelError(f"tensor {index} ({name}) has unknown element type {number}")
        buffer = table.number("buffer")
        if buffer >= len(buffers):
            raise ModelError(f"tensor {index} ({name}) names buffer {buffer}, which is absent")
        shape = table.numbers("shape")
        if shape not in self._sound_shapes:
            _check_shape(shape, f"tensor {index} ({name})")
            self._sound_shapes.add(shape)
        return Tensor(
            index,
            name,
            shape,
            kind,
            buffers[buffer],
            self._quantization(table, index),
            table.number("is_variable"),
            table.has("shape"),
        )

    def _quantization(self, tensor: Table, index: int) -> Quantization | None:
        table = tensor.table(
            "quantization", "QuantizationParameters", "quantization of tensor", index
        )
        if table is None:
            return None
        known, position = self._quantization_of, table.position
        if position in known:
            return known[position]
        scales, zero_points = table.numbers("scale"), table.numbers("zero_point")
        found = None
        if scales and zero_points:
            found = Quantization(scales, zero_points, table.number("quantized_dimension"))
        known[position] = found
        return found

    def _operator(
        self, index: int, table: Table, codes: list[OperatorCode], tensor_count: int
    ) -> Operator:
        code = table.number("opcode_index")
        if code >= len(codes):
            raise ModelError(f"operator {index} names operator code {code}, which is absent")
        name, is_custom, version, has_newer_code, has_older_code = codes[code]
        inputs, outputs = table.numbers("inputs"), table.numbers("outputs")
        intermediates = table.numbers("intermediates")
        tensor = _outside(inputs, OPTIONAL_TENSOR, tensor_count)
        if tensor is not None:
            raise ModelError(f"operator {index} ({name}) reads tensor {tensor}, which is absent")
        tensor = _outside(outputs + intermediates, 0, tensor_count)
        if tensor is not None:
            raise ModelError(f"operator {index} ({name}) writes tensor {tensor}, which is absent")
        custom = table.bytes("custom_options")
        if custom is not None:
            self._file.spend(elements=custom.nbytes)
        return Operator(
            index=index,
            name=name,
            inputs=inputs,
            outputs=outputs,
            intermediates=intermediates,
            options=NO_OPTIONS if is_custom else self._options(table, index),
            custom_options=None if custom is None else bytes(custom),
            is_custom=is_custom,
            version=version,
            has_newer_code=has_newer_code,
            has_older_code=has_older_code,
        )

    def _options(self, operator: Table, index: int) -> Mapping[str, Any]:
        for field, names in (
            ("builtin_options", OPTIONS_NAMES),
            ("builtin_options2", OPTIONS2_NAMES),
        ):
            kind = names.get(operator.number(f"{field}_type"), "NONE")
            if kind == "NONE":
                continue
            table = operator.table(field, kind, "options of operator", index)
            if table is not None:
                return self._options_table(kind, table)
        return NO_OPTIONS

    def _options_table(self, kind: str, table: Table) -> Mapping[str, Any]:
        key = kind, table.inline
        found = self._options_of.get(key)
        if found is None:
            found = _options(kind, table)
            if all(field.is_number for field in options_fields(kind)):
                self._options_of[key] = found
        return found


def _check_shape(shape: tuple[int, ...], what: str) -> None:
    if len(shape) > MAX_RANK:
        raise ModelError(f"{what} has {len(shape)} dimensions")
    if min(shape, default=0) < 0:
        raise ModelError(
            f"{what} has a dynamic shape {list(shape)}; "
            "TFLM needs fixed shapes: convert the model with a fixed input size"
        )
    if prod(filter(None, shape)) * 16 > INT32_MAX:  # arrays are not made of such, even if empty
        raise ModelError(
            f"{what} of shape {list(shape)} is far beyond the address space of a microcontroller"
        )


def _outside(indices: tuple[int, ...], first: int, end: int) -> int | None:
    """The first index that is none of ``first`` to ``end - 1``, None where all are."""
    if not indices or (first <= min(indices) and max(indices) < end):
        return None
    return next(index for index in indices if not first <= index < end)


def _options(kind: str, table: Table) -> Mapping[str, Any]:
    values: dict[str, Any] = {"options_type": kind}
    for field in options_fields(kind):
        if field.is_number:
            values[field.name] = table.number(field.name)
        else:
            read = table.numbers if field.is_vector else table.text
            values[field.name] = read(field.name)
    return MappingProxyType(values)


def _code(table: Table) -> OperatorCode:
    newer, older = table.number("builtin_code"), table.number("deprecated_builtin_code")
    code = max(newer, older)
    fields = newer == code, older == min(code, MAX_OLDER_CODE)
    if code == _CUSTOM:
        custom = table.text("custom_code")
        if not custom:
            raise ModelError("an operator code is CUSTOM but has no custom name")
        return OperatorCode(custom, True, table.number("version"), *fields)
    name = BUILTIN_NAMES.get(code)
    if name is None:
        raise ModelError(
            f"operator code {code} is not in the TensorFlow Lite schema; "
            "the file is damaged or newer than this tool"
        )
    return OperatorCode(name, False, table.number("version"), *fields)


def _metadata(model: Table, buffers: Buffers) -> Mapping[str, memoryview]:
    found: dict[str, memoryview] = {}
    for entry in model.tables("metadata", "Metadata", "metadata entry"):
        name, index = entry.text("name"), entry.number("buffer")
        if name is None:
            continue
        if index >= len(buffers):
            raise ModelError(f"metadata {name!r} names buffer {index}, which is absent")
        found[name] = buffers[index] or memoryview(b"")
    return MappingProxyType(found)


def _check_order(subgraph: Subgraph) -> None:
    """TFLM runs operators in file order: a value must not be read before it is written."""
    producer: dict[int, int] = {}
    for operator in subgraph.operators:
        for tensor in operator.outputs:
            producer.setdefault(tensor, operator.index)
    ready = set(subgraph.inputs)
    for operator in subgraph.operators:
        for index in operator.inputs:
            late = producer.get(index, -1) >= operator.index and index not in ready
            if late and not (
                subgraph.tensors[index].is_variable or subgraph.tensors[index].is_constant
            ):
                raise ModelError(
                    f"operator {operator.index} ({operator.name}) reads tensor {index} "
                    f"({subgraph.tensors[index].name}) before operator {producer[index]} writes "
                    "it: the graph is cyclic or not in execution order"
                )
        ready.update(operator.outputs)
