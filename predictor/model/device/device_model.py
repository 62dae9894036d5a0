"""The device model: a model whose operators are custom operators of the project's own kernels.

It computes the same and differs in three ways: operators with INT8 or INT4 activations become
custom operators with all their parameters in ``custom_options``; INT4 tensors become INT8 tensors
of their packed bytes, which any TFLM takes; requantisation tables lie in the file instead of the
arena. Tensors and operators keep their number and order, but for those of groups that are computed
in rows. A metadata entry holds what leads back (:func:`original_model`).

``docs/device_model.md`` describes the format.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from predictor.errors import ModelError, RefusedError, UsageError
from predictor.model.device.layers import options_of
from predictor.model.device.options import (
    PLACES,
    PREPARED_BITS,
    VERSION,
    DeviceOptions,
    WeightedOptions,
)
from predictor.model.device.packing import pack, unpack
from predictor.model.device.prepared_filter import filter_weights, prepare_filter
from predictor.model.device.reader import CODES, read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_group import Group
from predictor.model.device.stream_operator import in_rows, made_groups
from predictor.model.graph import (
    Graph,
    Operator,
    Subgraph,
    Tensor,
    TensorType,
)
from predictor.model.metadata import OFFLINE_PLAN, PLAN_ORIGIN
from predictor.model.tflite_reader import MAX_FILE_BYTES, read_graph
from predictor.model.tflite_writer import write_model

METADATA_NAME = "MN_DEVICE_MODEL"
"""Metadata entry with the version (4 bytes, little-endian) and the compressed original model
without its constants."""

_PLACEHOLDER = memoryview(b"\0")
"""Stands for the data of a constant, which the device model holds unchanged."""
_OWN_PLANS = (OFFLINE_PLAN, PLAN_ORIGIN)
"""Metadata that a device model may hold otherwise than the original: plans of its memory."""
_RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def is_device_model(graph: Graph) -> bool:
    return METADATA_NAME in graph.metadata


def device_model(
    graph: Graph,
    tables: str = "flash",
    prepared: Collection[int] = (),
    groups: Sequence[Group] = (),
) -> Graph:
    """The device model of a model; the model itself where no operator has a kernel.

    Args:
        graph: a model with builtin operators; INT4 tensors as the TensorFlow Lite schema has them.
        tables: "flash" leaves requantisation tables in the file, "arena" lets operators unpack them
            into the arena: 3 bytes less of flash and 8 more of arena for each output channel.
        prepared: operators of the main subgraph that get a prepared filter: a depthwise kernel then
            needs less scratch memory and more flash (see :func:`preparable`).
        groups: operators of the main subgraph that become one which computes them in rows.

    Raises:
        RefusedError: an operator has INT4 tensors but no kernel for them; says which and why.
        UsageError: the model is a device model already, ``tables`` is unknown, or an operator
            cannot have a prepared filter, or a group is none.
    """
    if tables not in PLACES:
        raise UsageError(f"unknown place for tables {tables!r}; choose {' or '.join(PLACES)}")
    if is_device_model(graph):
        raise UsageError("this is a device model already; give the original model")
    wrong = set(prepared).difference(preparable(graph) if prepared else ())
    if wrong:
        raise UsageError(f"operator {min(wrong)} cannot have a prepared filter")
    subgraphs = tuple(
        _Transformation(
            subgraph,
            tables,
            () if subgraph.index else prepared,
            () if subgraph.index else groups,
        ).subgraph()
        for subgraph in graph.subgraphs
    )
    if subgraphs == graph.subgraphs:
        return graph
    metadata = dict(graph.metadata) | {METADATA_NAME: memoryview(_way_back(graph))}
    return replace(
        graph, subgraphs=subgraphs, metadata=MappingProxyType(metadata), flatbuffer_bytes=0
    )


def preparable(graph: Graph) -> tuple[int, ...]:
    """Operators of the main subgraph of a model that may have a prepared filter: depthwise
    convolutions with a kernel whose filter is a constant of their own, with a bias for each output
    channel or none."""
    main = graph.main
    readers = Counter(index for op in main.operators for index in op.inputs)
    found = []
    for op in main.operators:
        if op.name != "DEPTHWISE_CONV_2D" or len(op.inputs) < 2 or op.inputs[1] < 0:
            continue
        if readers[op.inputs[1]] != 1:
            continue
        filter, *biases = (main.tensors[index] for index in op.inputs[1:] if index >= 0)
        is_whole = filter.is_whole and all(
            bias.is_whole and bias.shape == filter.shape[-1:] for bias in biases
        )
        if is_whole and _has_kernel(main, op):
            found.append(op.index)
    return tuple(found)


def _has_kernel(subgraph: Subgraph, op: Operator) -> bool:
    try:
        return options_of(subgraph, op).code in CODES
    except RefusedError:
        return False


def original_model(graph: Graph) -> Graph:
    """The model from which a device model was made; equal to what :func:`device_model` got.

    Raises:
        ModelError: it is no device model, or its metadata entry is damaged.
    """
    entry = graph.metadata.get(METADATA_NAME)
    if entry is None:
        raise ModelError(f"this is no device model: it has no metadata entry {METADATA_NAME}")
    skeleton = read_graph(_unpacked(bytes(entry)))
    return replace(
        skeleton,
        subgraphs=tuple(
            _with_constants(subgraph, graph, index)
            for index, subgraph in enumerate(skeleton.subgraphs)
        ),
        metadata=MappingProxyType(
            {
                name: raw if name in _OWN_PLANS else graph.metadata.get(name, raw)
                for name, raw in skeleton.metadata.items()
            }
        ),
        flatbuffer_bytes=0,
    )


class _Transformation:
    """One subgraph being transformed."""

    def __init__(
        self,
        subgraph: Subgraph,
        tables: str,
        prepared: Collection[int],
        groups: Sequence[Group],
    ) -> None:
        self._subgraph = subgraph
        self._prepared = prepared
        self._filters: dict[int, bytes] = {}
        self._converted: dict[int, Operator] = {}
        self._groups = made_groups(subgraph, groups, prepared)
        for op in subgraph.operators:
            converted = self._operator(op, tables)
            if converted is not None:
                self._converted[op.index] = converted
            elif any(op.index in group.operators for group in groups):
                self._converted[op.index] = op  # without an operator of its own
        kept = [op for op in subgraph.operators if op.index not in self._converted]
        self._builtin_tensors = {index for op in kept for index in (*op.inputs, *op.outputs)}
        self._packed = {tensor.index for tensor in subgraph.tensors if self._is_packed(tensor)}
        for op in kept:
            self._check_kept(op)

    def subgraph(self) -> Subgraph:
        if not self._converted:
            return self._subgraph
        operators = tuple(self._converted.get(op.index, op) for op in self._subgraph.operators)
        tensors = tuple(self._tensor(tensor) for tensor in self._subgraph.tensors)
        made = replace(self._subgraph, tensors=tensors, operators=operators)
        return in_rows(made, self._groups) if self._groups else made

    def _tensors_of(self, op: Operator) -> list[Tensor]:
        indices = (*op.inputs, *op.outputs)
        return [self._subgraph.tensors[index] for index in indices if index >= 0]

    def _operator(self, op: Operator, tables: str) -> Operator | None:
        """The custom operator, None where the operator stays as it is."""
        has_int4 = any(tensor.type == TensorType.INT4 for tensor in self._tensors_of(op))
        if has_int4 and not op.is_custom and op.name in _RESHAPES:
            return self._reshape(op)
        try:
            options = options_of(self._subgraph, op, tables)
        except RefusedError:
            if self._computes_int4(op):
                raise
            return None
        if options.code not in CODES:
            return None
        if op.index in self._prepared and isinstance(options, WeightedOptions):
            self._filters[op.inputs[1]] = _prepared_filter(self._subgraph, op, options)
            options = replace(options, weight_bits=PREPARED_BITS)
        return Operator(
            index=op.index,
            name=options.code,
            inputs=op.inputs,
            outputs=op.outputs,
            custom_options=options.pack(),
            is_custom=True,
            version=VERSION,
        )

    def _computes_int4(self, op: Operator) -> bool:
        tensors = self._tensors_of(op)
        return any(t.type == TensorType.INT4 and not t.is_constant for t in tensors)

    def _reshape(self, op: Operator) -> Operator:
        """Packed bytes keep their order: any reshape is one to their number."""
        packed_bytes = self._subgraph.tensors[op.outputs[0]].stored_bytes
        options = {"options_type": "ReshapeOptions", "new_shape": (packed_bytes,)}
        return Operator(
            index=op.index,
            name="RESHAPE",
            inputs=op.inputs[:1],
            outputs=op.outputs,
            options=MappingProxyType(options),
        )

    def _is_packed(self, tensor: Tensor) -> bool:
        """INT4 activations, and INT4 constants that converted operators read."""
        if tensor.type != TensorType.INT4:
            return False
        return not tensor.is_constant or tensor.index not in self._builtin_tensors

    def _check_kept(self, op: Operator) -> None:
        found = [tensor for tensor in self._tensors_of(op) if tensor.index in self._packed]
        if found:
            raise RefusedError(
                f"tensor {found[0].name!r} is INT4, for which there is no kernel",
                op.label,
                op.index,
                self._subgraph.index,
            )

    def _tensor(self, tensor: Tensor) -> Tensor:
        if tensor.index in self._filters:
            data = memoryview(self._filters[tensor.index])
            return replace(
                tensor, type=TensorType.INT8, shape=(len(data),), quantization=None, data=data
            )
        if tensor.index in self._packed:
            return replace(
                tensor, type=TensorType.INT8, shape=(tensor.stored_bytes,), quantization=None
            )
        ends = (*self._subgraph.inputs, *self._subgraph.outputs)
        if tensor.index in self._builtin_tensors or tensor.index in ends:
            return tensor
        # Only builtin operators and the application read it, and TFLM may keep it in the arena.
        return replace(tensor, quantization=None)


def _prepared_filter(subgraph: Subgraph, op: Operator, options: WeightedOptions) -> bytes:
    filter = subgraph.tensors[op.inputs[1]]
    bias = subgraph.tensors[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    assert filter.data is not None
    weights = unpack(filter.data, filter.elements, options.weight_bits)
    return prepare_filter(
        options,
        weights.reshape(-1, options.filter_dims[3]),
        None
        if bias is None or bias.data is None
        else np.frombuffer(bias.data[: bias.stored_bytes], "<i4"),
    )


def _way_back(graph: Graph) -> bytes:
    """The original without the data of its constants, compressed."""
    subgraphs = tuple(
        replace(
            subgraph,
            tensors=tuple(
                tensor if tensor.data is None else replace(tensor, data=_PLACEHOLDER)
                for tensor in subgraph.tensors
            ),
        )
        for subgraph in graph.subgraphs
    )
    metadata = {
        name: raw if name in _OWN_PLANS else _PLACEHOLDER for name, raw in graph.metadata.items()
    }
    skeleton = write_model(replace(graph, subgraphs=subgraphs, metadata=MappingProxyType(metadata)))
    return VERSION.to_bytes(4, "little") + zlib.compress(skeleton, 9)


def _unpacked(entry: bytes) -> bytes:
    version = int.from_bytes(entry[:4], "little")
    if version != VERSION:
        raise ModelError(f"{METADATA_NAME} has version {version}; this tool reads {VERSION}")
    inflate = zlib.decompressobj()
    try:
        skeleton = inflate.decompress(entry[4:], MAX_FILE_BYTES)
    except zlib.error as error:
        raise ModelError(f"{METADATA_NAME} is damaged: {error}") from None
    if not inflate.eof:
        raise ModelError(f"{METADATA_NAME} is damaged: its content is cut off or too large")
    return skeleton


def _with_constants(subgraph: Subgraph, device: Graph, index: int) -> Subgraph:
    """Gives constants their data, which lies in the device model's constants, in their order."""
    held = _constants_of(device.subgraphs[index]) if index < len(device.subgraphs) else []
    constants = _constants_of(subgraph)
    if len(held) != len(constants):
        raise ModelError(f"{METADATA_NAME} does not belong to this model: its tensors differ")
    prepared = _filters_of(device.subgraphs[index]) if held else {}
    found = {
        tensor.index: replace(tensor, data=_unprepared(tensor, own, prepared.get(own.index)))
        for tensor, own in zip(constants, held, strict=True)
    }
    return replace(
        subgraph, tensors=tuple(found.get(tensor.index, tensor) for tensor in subgraph.tensors)
    )


def _constants_of(subgraph: Subgraph) -> list[Tensor]:
    return [tensor for tensor in subgraph.tensors if tensor.data is not None]


def _filters_of(subgraph: Subgraph) -> Mapping[int, WeightedOptions]:
    """Prepared filters, with the options of their layers."""
    found = {}
    for op in subgraph.operators:
        if op.is_custom and op.name in CODES and len(op.inputs) > 1:
            options = read_options(op.name, op.custom_options)
            layers: list[tuple[DeviceOptions, int]] = [(options, 1)]
            if isinstance(options, StreamOptions):
                layers = [(stage.options, stage.filter) for stage in options.stages]
            for layer, filter in layers:
                if isinstance(layer, WeightedOptions) and layer.weight_bits == PREPARED_BITS:
                    found[op.inputs[filter]] = layer
    return found


def _unprepared(tensor: Tensor, held: Tensor, options: WeightedOptions | None) -> memoryview | None:
    """The data of a constant of the original model, from that of the device model."""
    if options is None or held.data is None:
        return held.data
    bits = 4 if tensor.type == TensorType.INT4 else 8
    return memoryview(pack(filter_weights(options, held.data), bits).tobytes())
