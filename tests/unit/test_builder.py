"""What the builder describes is what the reader reads."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import UsageError
from predictor.model.builder import ModelBuilder
from predictor.model.builder.options import options_type
from predictor.model.builder.tensors import stored_bytes
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.graph import Graph, Operator, Quantization, Tensor, TensorType
from predictor.model.metadata import OFFLINE_PLAN
from predictor.model.random_graphs import chain, random_graph
from predictor.model.schema import BUILTIN_NAMES, options_fields
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import file_bytes, write_model


def _read(builder: ModelBuilder) -> Graph:
    return read_graph(builder.build())


def _constants(graph: Graph) -> list[bytes | None]:
    return [
        None if tensor.data is None else bytes(tensor.data)
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    ]


def _quantizations(graph: Graph) -> list[Quantization | None]:
    return [tensor.quantization for tensor in graph.main.tensors]


def _only(graph: Graph, name: str) -> tuple[Operator, list[Tensor | None], list[Tensor]]:
    (op,) = [op for op in graph.main.operators if op.name == name]
    tensors = graph.main.tensors
    inputs = [tensors[index] if index >= 0 else None for index in op.inputs]
    return op, inputs, [tensors[index] for index in op.outputs]


@pytest.mark.parametrize("type", ["int8", "int16", "float32"])
@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
def test_round_trip_of_example_models(name: str, type: str) -> None:
    _check_round_trip(EXAMPLE_MODELS[name](type=type))


@pytest.mark.parametrize("seed", range(30))
def test_round_trip_of_random_graphs(seed: int) -> None:
    _check_round_trip(random_graph(seed))


def _check_round_trip(builder: ModelBuilder) -> None:
    built, content = builder.graph(), builder.build()
    read = read_graph(content)
    assert _stripped(read) == _stripped(built)
    assert _constants(read) == _constants(built)
    assert _quantizations(read) == _quantizations(built)
    assert write_model(read) == content


def _stripped(graph: Graph) -> list[Any]:
    """All but options that were not given and the size of the file."""
    return [
        graph.description,
        {name: bytes(raw) for name, raw in graph.metadata.items()},
        [
            replace(subgraph, operators=tuple(replace(op, options={}) for op in subgraph.operators))
            for subgraph in graph.subgraphs
        ],
    ]


def test_conv_2d() -> None:
    builder = ModelBuilder("m")
    x = builder.input((2, 9, 8, 3), "int8", name="image")
    y = builder.conv_2d(
        x, 5, kernel=(3, 2), stride=(2, 1), padding="valid", activation="relu6", name="first"
    )
    assert y.shape == (2, 4, 7, 5)
    builder.output(y)
    op, (image, filter, bias), (output,) = _only(_read(builder), "CONV_2D")
    assert op.options["options_type"] == "Conv2DOptions"
    assert op.options["padding"] == tflite.Padding.VALID
    assert (op.options["stride_h"], op.options["stride_w"]) == (2, 1)
    assert op.options["fused_activation_function"] == tflite.ActivationFunctionType.RELU6
    assert image is not None
    assert filter is not None
    assert bias is not None
    assert (image.name, image.type, output.name) == ("image", TensorType.INT8, "first")
    assert (filter.shape, filter.type, filter.stored_data_bytes) == (
        (5, 3, 2, 3),
        TensorType.INT8,
        90,
    )
    assert image.quantization is not None
    assert filter.quantization is not None
    assert bias.quantization is not None
    assert len(set(filter.quantization.scales)) == 5
    assert filter.quantization.dimension == 0
    assert bias.type == TensorType.INT32
    assert bias.quantization.scales == tuple(
        float(np.float32(image.quantization.scale * scale)) for scale in filter.quantization.scales
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_window_arithmetic(padding: str, kernel: int, stride: int, dilation: int) -> None:
    """Against a count of the positions that the window can take."""
    size = 11
    builder = ModelBuilder("m")
    y = builder.conv_2d(
        builder.input((1, size, size, 1)),
        1,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
    )
    reach = 1 if padding == "same" else (kernel - 1) * dilation + 1
    assert y.shape[1] == len([s for s in range(0, size, stride) if s + reach <= size])


def test_depthwise_weights_are_quantised_along_their_last_axis() -> None:
    builder = ModelBuilder("m")
    x = builder.input((1, 4, 4, 3))
    builder.output(builder.depthwise_conv_2d(x, kernel=3, multiplier=2))
    op, (_, filter, _), _ = _only(_read(builder), "DEPTHWISE_CONV_2D")
    assert op.options["depth_multiplier"] == 2
    assert filter is not None
    assert filter.shape == (1, 3, 3, 6)
    assert filter.quantization is not None
    assert filter.quantization.dimension == 3
    assert len(filter.quantization.scales) == 6


def test_int16_layers_have_64_bit_biases_and_symmetric_activations() -> None:
    builder = ModelBuilder("m")
    builder.output(builder.conv_2d(builder.input((1, 4, 4, 3), "int16"), 2, activation="relu"))
    _, (_, filter, bias), (output,) = _only(_read(builder), "CONV_2D")
    assert filter is not None
    assert bias is not None
    assert (filter.type, bias.type) == (TensorType.INT8, TensorType.INT64)
    assert output.quantization is not None
    assert output.quantization.zero_points == (0,)


@given(st.lists(st.integers(-8, 7), max_size=33))
def test_int4_is_packed_low_nibble_first(values: list[int]) -> None:
    packed = stored_bytes(np.array(values, dtype=np.int8), TensorType.INT4)
    assert len(packed) == (len(values) + 1) // 2
    nibbles = [nibble for byte in packed for nibble in (byte & 15, byte >> 4)]
    signed = [nibble - 16 if nibble > 7 else nibble for nibble in nibbles]
    assert signed[: len(values)] == values
    assert not any(signed[len(values) :])


def test_int4_weights_take_half_the_bytes() -> None:
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 9)), 3, weights="int4"))
    _, (_, filter, _), _ = _only(_read(builder), "FULLY_CONNECTED")
    assert filter is not None
    assert filter.type == TensorType.INT4
    assert filter.stored_data_bytes == filter.stored_bytes == 14
    assert filter.quantization is not None
    assert not filter.quantization.is_per_channel


def test_equal_seeds_give_equal_bytes() -> None:
    assert random_graph(7).build() == random_graph(7).build()
    assert random_graph(7).build() != random_graph(8).build()
    assert EXAMPLE_MODELS["ds_cnn"]().build() == EXAMPLE_MODELS["ds_cnn"]().build()
    assert EXAMPLE_MODELS["ds_cnn"]().build() != EXAMPLE_MODELS["ds_cnn"](seed=1).build()


@pytest.mark.parametrize("seed", range(5))
def test_buffers_are_aligned_in_the_file(seed: int) -> None:
    content = random_graph(seed).build()
    model = tflite.Model.GetRootAs(content, 0)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            assert buffer._tab.Vector(buffer._tab.Offset(4)) % 16 == 0


NO_OPERATORS = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}


@pytest.mark.parametrize("name", sorted(set(BUILTIN_NAMES.values()) - NO_OPERATORS))
def test_any_operator_with_all_its_options(name: str) -> None:
    table = options_type(name)
    values: dict[str, Any] = {}
    for field in options_fields(table) if table else ():
        kind = field.kind
        example = {"string": "text", "bool": True, "float32": 0.5}.get(kind, 3)
        if field.is_vector:
            example = (example, example)
        values[field.name] = example
    builder = ModelBuilder("m")
    x = builder.input((4,), "float32")
    (y,) = builder.operator(name, [x, None], [((2, 2), "int8")], values or None, version=3)
    builder.output(y)
    graph = _read(builder)
    (op,) = graph.main.operators
    assert (op.name, op.version, op.inputs) == (name, 3, (x.index, -1))
    assert file_bytes(graph) == len(write_model(graph))
    assert {key: op.options[key] for key in values} == values


def test_every_options_table_but_unused_ones_belongs_to_an_operator() -> None:
    tables = {options_type(name) for name in BUILTIN_NAMES.values()} - {None}
    in_schema = {
        name
        for union in (tflite.BuiltinOptions, tflite.BuiltinOptions2)
        for name, value in vars(union).items()
        if isinstance(value, int) and name != "NONE" and not name.startswith("_")
    }
    assert tables == in_schema


def test_custom_operators() -> None:
    builder = ModelBuilder("m")
    x = builder.input((4,), "int16")
    first, second = builder.operator(
        "SignalWindow",
        [x],
        [((4,), "int16"), ((2,), "int8", Quantization((0.5,), (3,)))],
        is_custom=True,
        custom_options=b"\x01\x02",
    )
    builder.output(first, second)
    op, _, (_, output) = _only(_read(builder), "SignalWindow")
    assert op.is_custom
    assert op.custom_options == b"\x01\x02"
    assert output.quantization == Quantization((0.5,), (3,))


def test_intermediates_variables_and_scalars() -> None:
    builder = ModelBuilder("m")
    x = builder.input((1, 4))
    state = builder.variable((1, 4), "int16")
    scalar = builder.constant(3)
    (y,) = builder.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [x, state, scalar],
        [((1, 4), "int8")],
        {"fused_activation_function": "tanh"},
        intermediates=[((1,), "int16"), ((1,), "int8")],
    )
    builder.output(y)
    op, (_, variable, number), _ = _only(_read(builder), "UNIDIRECTIONAL_SEQUENCE_LSTM")
    assert len(op.intermediates) == 2
    assert variable is not None
    assert variable.is_variable
    assert number is not None
    assert (number.shape, number.type) == ((), TensorType.INT32)
    assert number.data is not None
    assert bytes(number.data) == struct.pack("<i", 3)


def test_unused_operator_codes_are_kept() -> None:
    builder = ModelBuilder("m")
    builder.output(builder.relu(builder.input((2,))))
    codes = ("ADD", "CUSTOM:Mine")
    graph = replace(builder.graph(), unused_codes=codes)
    assert read_graph(write_model(graph)).unused_codes == codes
    with pytest.raises(UsageError, match="Mine is not a builtin operator"):
        write_model(replace(graph, unused_codes=("Mine",)))


def test_subgraphs() -> None:
    builder = ModelBuilder("m")
    branch = builder.subgraph("then")
    branch.output(branch.relu(branch.input((2,))))
    condition, x = builder.input((1,), "bool"), builder.input((2,))
    options = {"then_subgraph_index": branch.index, "else_subgraph_index": branch.index}
    builder.output(*builder.operator("IF", [condition, x], [((2,), "int8")], options))
    graph = _read(builder)
    assert [subgraph.name for subgraph in graph.subgraphs] == ["main", "then"]
    assert [op.name for op in graph.subgraphs[1].operators] == ["RELU"]
    assert graph.main.operators[0].options["then_subgraph_index"] == 1


def test_metadata_and_offline_plan() -> None:
    builder = ModelBuilder("m")
    x = builder.input((16,))
    y = builder.relu(x)
    builder.output(y)
    builder.metadata("note", b"first")
    builder.metadata("note", b"second")
    builder.offline_plan({y: 64})
    metadata = _read(builder).metadata
    assert bytes(metadata["note"]) == b"second"
    assert struct.unpack("<3I2i", metadata[OFFLINE_PLAN]) == (1, 0, 2, -1, 64)


@pytest.mark.parametrize(
    ("values", "type", "expected"),
    [
        ([1, 2], None, (TensorType.INT32, struct.pack("<2i", 1, 2))),
        ([1.5], None, (TensorType.FLOAT32, struct.pack("<f", 1.5))),
        ([True, False], None, (TensorType.BOOL, b"\x01\x00")),
        (np.array([1, 2], dtype=np.int64), None, (TensorType.INT64, struct.pack("<2q", 1, 2))),
        ([-1, 300], "int16", (TensorType.INT16, struct.pack("<2h", -1, 300))),
    ],
)
def test_constants(values: Any, type: str | None, expected: tuple[TensorType, bytes]) -> None:
    builder = ModelBuilder("m")
    constant = builder.constant(values, type)
    builder.output(*builder.operator("RELU", [constant], [((2,), "int8")]))
    tensor = _read(builder).main.tensors[constant.index]
    assert tensor.data is not None
    assert (tensor.type, bytes(tensor.data)) == expected


def test_random_graphs_have_what_they_promise() -> None:
    graphs = [_read(random_graph(seed)) for seed in range(60)]
    names = {op.name for graph in graphs for op in graph.main.operators}
    assert {"SPLIT", "ADD", "CONCATENATION", "CONV_2D", "FULLY_CONNECTED", "QUANTIZE"} <= names
    assert {len(graph.main.inputs) for graph in graphs} == {1, 2, 3}
    assert max(len(graph.main.outputs) for graph in graphs) > 2
    sizes = [len(graph.main.operators) for graph in graphs]
    assert 5 <= min(sizes) <= 10
    assert 50 <= max(sizes) <= 64
    exact = random_graph(3, min_operators=1, max_operators=1)
    assert 1 <= exact.operator_count <= 5


def test_chain_has_the_length_asked_for() -> None:
    builder = chain(50, branch_every=4)
    names = [op.name for op in _read(builder).main.operators]
    assert len(names) == 50
    assert 5 <= names.count("ADD") <= 12
    assert "ADD" not in [op.name for op in _read(chain(50)).main.operators]


@pytest.mark.parametrize("seed", range(40))
def test_the_length_of_a_file_is_known_without_writing_it(seed: int) -> None:
    graph = _read(random_graph(seed))
    assert file_bytes(graph) == len(write_model(graph))


@pytest.mark.parametrize("type", ["int8", "int16"])
def test_no_depth_leaves_a_scale_of_nothing(type: str) -> None:
    builder = ModelBuilder()
    tensor = builder.input((1, 4), type)
    for _ in range(1_000):
        tensor = builder.relu(tensor)
    builder.output(tensor)
    scales = [tensor.quantization for tensor in read_graph(builder.build()).main.tensors]
    assert all(item is not None and min(item.scales) > 0 for item in scales)
