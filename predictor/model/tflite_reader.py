"""Reads ``.tflite`` flatbuffers into :class:`~predictor.model.graph.Graph`.

The schema is that of the ``tflite`` package. Flatbuffers are not self-checking, so every table,
vector and index is checked against the file before it is used, and the total number of elements
read is bounded: a hostile file costs little time and memory and ends in a ``ModelError``.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tflite

from predictor.errors import ModelError
from predictor.model.graph import (
    NO_OPTIONS,
    OPTIONAL_TENSOR,
    Graph,
    Operator,
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
    options_fields,
)

MAX_FILE_BYTES = 256 << 20
"""Larger files cannot run on any microcontroller; they are refused unread."""
MAX_RANK = 64
INT32_MAX = 2**31 - 1

_FOREIGN_FORMATS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5)"),
    (b"PK\x03\x04", "a zip archive (Keras .keras, PyTorch or similar)"),
    (b"\x08", "a protocol buffer (ONNX or a TensorFlow graph)"),
    (b"\x0a", "a protocol buffer (ONNX or a TensorFlow graph)"),
)

ModelSource = str | os.PathLike[str] | bytes | bytearray | memoryview


def load_bytes(path: str | os.PathLike[str]) -> bytes:
    """Returns the bytes of a model file.

    Raises:
        ModelError: the path is missing, not a regular file, unreadable or too large.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ModelError(f"{path} is a directory; name a .tflite file in it")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is not a regular file; name a .tflite file")
        if status.st_size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path} has {status.st_size:,} bytes; models of more than "
                f"{MAX_FILE_BYTES:,} bytes are not read, as no microcontroller can hold them"
            )
        return Path(path).read_bytes()
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
    _check_identifier(content)
    try:
        return _Reader(content).graph()
    except ModelError:
        raise
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        # The accessors of the schema package fail in these ways on offsets outside the file.
        raise ModelError(
            f"damaged flatbuffer: an offset leads outside the file ({error})"
        ) from error


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
_CUSTOM = int(tflite.BuiltinOperator.CUSTOM)


class _Reader:
    """One pass over one file, with a budget of elements that bounds its work."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._view = memoryview(content)
        self._budget = 16 * len(content) + 65536

    def graph(self) -> Graph:
        model = tflite.Model.GetRootAs(self._content, 0)
        self._check_table(model, "model")
        if model.Version() != SCHEMA_VERSION:
            raise ModelError(
                f"schema version {model.Version()} is not supported (only {SCHEMA_VERSION})"
            )
        codes = [self._code(code) for code in self._tables(model, "OperatorCodes")]
        buffers = [
            self._bytes(buffer, "Data") for buffer in self._tables(model, "Buffers", "buffer")
        ]
        subgraphs = tuple(
            self._subgraph(index, table, codes, buffers)
            for index, table in enumerate(self._tables(model, "Subgraphs", "subgraph"))
        )
        if not subgraphs:
            raise ModelError("the model has no subgraph")
        main = subgraphs[0]
        if not main.operators and not (main.outputs and set(main.outputs) <= set(main.inputs)):
            raise ModelError("the model has no operator: nothing computes its outputs")
        graph = Graph(
            subgraphs=subgraphs,
            metadata=self._metadata(model, buffers),
            description=_text(model.Description()),
            flatbuffer_bytes=len(self._content),
        )
        listed = {operator_label(name, is_custom) for name, is_custom, _, _ in codes}
        return replace(graph, unused_codes=tuple(sorted(listed - graph.operator_labels)))

    # Safe access to the flatbuffer.

    def _spend(self, elements: int) -> None:
        self._budget -= elements
        if self._budget < 0:
            raise ModelError(
                "damaged flatbuffer: its vectors together claim far more elements than the "
                "file can hold"
            )

    def _check_table(self, table: Any, what: str) -> None:
        """Checks that a table and its vtable lie inside the file."""
        content, position = self._content, table._tab.Pos
        end = len(content)
        if not 4 <= position <= end - 4:
            raise ModelError(f"damaged flatbuffer: {what} lies outside the file")
        vtable = position - int.from_bytes(content[position : position + 4], "little", signed=True)
        if not 4 <= vtable <= end - 4:
            raise ModelError(f"damaged flatbuffer: the vtable of {what} lies outside the file")
        vtable_bytes = int.from_bytes(content[vtable : vtable + 2], "little")
        table_bytes = int.from_bytes(content[vtable + 2 : vtable + 4], "little")
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > end:
            raise ModelError(f"damaged flatbuffer: the vtable of {what} is malformed")
        if table_bytes < 4 or position + table_bytes > end:
            raise ModelError(f"damaged flatbuffer: {what} reaches beyond the end of the file")
        for slot in range(vtable + 4, vtable + vtable_bytes, 2):
            if content[slot] + (content[slot + 1] << 8) >= table_bytes:
                raise ModelError(f"damaged flatbuffer: a field of {what} lies outside its table")

    def _tables(self, parent: Any, field: str, what: str | None = None) -> Iterator[Any]:
        """The tables of a vector of tables, each checked."""
        count = getattr(parent, field + "Length")()
        if count * 4 > len(self._content):
            raise ModelError(
                f"damaged flatbuffer: {field} claims {count:,} entries in a file of "
                f"{len(self._content):,} bytes"
            )
        self._spend(count)
        accessor: Callable[[int], Any] = getattr(parent, field)
        for index in range(count):
            table = accessor(index)
            self._check_table(table, f"{what or field} {index}")
            yield table

    def _numbers(self, parent: Any, field: str) -> tuple[Any, ...]:
        """The elements of a vector of numbers, () where the field is absent."""
        count = getattr(parent, field + "Length")()
        if count == 0:
            return ()
        self._spend(count)
        return tuple(getattr(parent, field + "AsNumpy")().tolist())

    def _bytes(self, parent: Any, field: str) -> memoryview | None:
        """The bytes of a [ubyte] vector without copying; None where absent or empty."""
        if getattr(parent, field + "Length")() == 0:
            return None
        array = getattr(parent, field + "AsNumpy")()
        return memoryview(array).cast("B").toreadonly()

    # The parts of a model.

    def _code(self, table: Any) -> tuple[str, bool, int, bool]:
        """An operator code as (name, is custom, version, has the newer 32-bit code field)."""
        newer, deprecated = table.BuiltinCode(), table.DeprecatedBuiltinCode()
        code = max(newer, deprecated)
        if code == _CUSTOM:
            custom = table.CustomCode()
            if not custom:
                raise ModelError("an operator code is CUSTOM but has no custom name")
            return _text(custom), True, table.Version(), True
        name = BUILTIN_NAMES.get(code)
        if name is None:
            raise ModelError(
                f"operator code {code} is not in the TensorFlow Lite schema; "
                "the file is damaged or newer than this tool"
            )
        return name, False, table.Version(), newer == code

    def _metadata(self, model: Any, buffers: list[memoryview | None]) -> Mapping[str, memoryview]:
        found: dict[str, memoryview] = {}
        for entry in self._tables(model, "Metadata", "metadata entry"):
            name, index = entry.Name(), entry.Buffer()
            if name is None:
                continue
            if index >= len(buffers):
                raise ModelError(f"metadata {_text(name)!r} names buffer {index}, which is absent")
            found[_text(name)] = buffers[index] or memoryview(b"")
        return MappingProxyType(found)

    def _subgraph(
        self,
        index: int,
        table: Any,
        codes: list[tuple[str, bool, int, bool]],
        buffers: list[memoryview | None],
    ) -> Subgraph:
        tensors = tuple(
            self._tensor(position, tensor, buffers)
            for position, tensor in enumerate(self._tables(table, "Tensors", "tensor"))
        )
        operators = tuple(
            self._operator(position, operator, codes, len(tensors))
            for position, operator in enumerate(self._tables(table, "Operators", "operator"))
        )
        inputs, outputs = self._numbers(table, "Inputs"), self._numbers(table, "Outputs")
        for what, indices in (("input", inputs), ("output", outputs)):
            for tensor in indices:
                if not 0 <= tensor < len(tensors):
                    raise ModelError(
                        f"{what} of subgraph {index} names tensor {tensor}, which is absent"
                    )
        subgraph = Subgraph(index, _text(table.Name()), tensors, operators, inputs, outputs)
        _check_order(subgraph)
        return subgraph

    def _tensor(self, index: int, table: Any, buffers: list[memoryview | None]) -> Tensor:
        kind = _TENSOR_TYPES.get(table.Type())
        name = _text(table.Name())
        if kind is None:
            raise ModelError(f"tensor {index} ({name}) has unknown element type {table.Type()}")
        buffer = table.Buffer()
        if buffer >= len(buffers):
            raise ModelError(f"tensor {index} ({name}) names buffer {buffer}, which is absent")
        shape = self._numbers(table, "Shape")
        if len(shape) > MAX_RANK:
            raise ModelError(f"tensor {index} ({name}) has {len(shape)} dimensions")
        if any(dim < 0 for dim in shape):
            raise ModelError(
                f"tensor {index} ({name}) has a dynamic shape {list(shape)}; "
                "TFLM needs fixed shapes: convert the model with a fixed input size"
            )
        tensor = Tensor(
            index=index,
            name=name,
            shape=shape,
            type=kind,
            data=buffers[buffer],
            quantization=self._quantization(table.Quantization(), index),
            is_variable=bool(table.IsVariable()),
            has_shape=not table.ShapeIsNone(),
        )
        if tensor.elements * 16 > INT32_MAX:
            raise ModelError(
                f"tensor {index} ({name}) of shape {list(shape)} is far beyond the address space "
                "of a microcontroller"
            )
        return tensor

    def _quantization(self, table: Any, tensor: int) -> Quantization | None:
        if table is None:
            return None
        self._check_table(table, f"quantization of tensor {tensor}")
        scales, zero_points = self._numbers(table, "Scale"), self._numbers(table, "ZeroPoint")
        if not scales or not zero_points:
            return None
        return Quantization(scales, zero_points, table.QuantizedDimension())

    def _operator(
        self, index: int, table: Any, codes: list[tuple[str, bool, int, bool]], tensor_count: int
    ) -> Operator:
        code = table.OpcodeIndex()
        if code >= len(codes):
            raise ModelError(f"operator {index} names operator code {code}, which is absent")
        name, is_custom, version, has_newer_code = codes[code]
        inputs = self._numbers(table, "Inputs")
        outputs = self._numbers(table, "Outputs")
        intermediates = self._numbers(table, "Intermediates")
        for tensor in inputs:
            if not OPTIONAL_TENSOR <= tensor < tensor_count:
                raise ModelError(
                    f"operator {index} ({name}) reads tensor {tensor}, which is absent"
                )
        for tensor in outputs + intermediates:
            if not 0 <= tensor < tensor_count:
                raise ModelError(
                    f"operator {index} ({name}) writes tensor {tensor}, which is absent"
                )
        custom = self._bytes(table, "CustomOptions")
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
        )

    def _options(self, operator: Any, index: int) -> Mapping[str, Any]:
        class_name = OPTIONS_NAMES.get(operator.BuiltinOptionsType(), "NONE")
        union = operator.BuiltinOptions()
        if class_name == "NONE" or union is None:
            class_name = OPTIONS2_NAMES.get(operator.BuiltinOptions2Type(), "NONE")
            union = operator.BuiltinOptions2()
        if class_name == "NONE" or union is None:
            return NO_OPTIONS
        table = getattr(tflite, class_name)()
        table.Init(union.Bytes, union.Pos)
        self._check_table(table, f"options of operator {index}")
        values: dict[str, Any] = {"options_type": class_name}
        for attribute, field, is_vector in options_fields(class_name):
            if is_vector:
                values[field] = self._numbers(table, attribute)
                continue
            value = getattr(table, attribute)()
            if isinstance(value, bytes):
                value = _text(value)
            if value is None or isinstance(value, bool | int | float | str):
                values[field] = value
        return MappingProxyType(values)


def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode("utf-8", errors="replace")


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
