"""The reader on damaged, foreign and hostile files."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from predictor import to_networkx
from predictor.errors import MissingDependencyError, ModelError
from predictor.model.builder import ModelBuilder
from predictor.model.graph import TensorType
from predictor.model.tflite_reader import MAX_FILE_BYTES, read_graph
from predictor.model.tflite_writer import write_model


def small_model() -> bytes:
    builder = ModelBuilder("small")
    x = builder.input((1, 8, 8, 3), "int8")
    x = builder.conv_2d(x, 4, kernel=3, activation="relu")
    builder.output(builder.softmax(builder.fully_connected(builder.reshape(x, (1, 256)), 5)))
    return builder.build()


def test_reads_what_was_built() -> None:
    graph = read_graph(small_model())
    assert [op.name for op in graph.main.operators] == [
        "CONV_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert graph.flatbuffer_bytes == len(small_model())
    conv = graph.main.operators[0]
    assert conv.options["options_type"] == "Conv2DOptions"
    assert conv.options["stride_w"] == 1
    weights = graph.main.tensors[conv.inputs[1]]
    assert weights.type is TensorType.INT8
    assert weights.is_constant
    assert weights.shape == (4, 3, 3, 3)
    assert weights.quantization is not None
    assert len(weights.quantization.scales) == 4
    with pytest.raises(AttributeError):
        graph.main.operators = ()  # type: ignore[misc]


def test_network_view_follows_the_data() -> None:
    network = to_networkx(read_graph(small_model()))
    assert list(network.successors("input 0")) == [0]
    assert list(network.successors(0)) == [1]
    assert list(network.predecessors("output 0")) == [3]
    assert network.nodes[0]["operator"] == "CONV_2D"
    assert network.edges["input 0", 0, 0]["shape"] == (1, 8, 8, 3)


def test_network_view_without_networkx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(MissingDependencyError, match="pip install networkx"):
        to_networkx(read_graph(small_model()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"TFL3", "truncated"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
        (b"PK\x03\x04" + bytes(64), "zip archive"),
        (b"\x08\x07\x12\x07pytorch" + bytes(64), "ONNX"),
        (b"\x1c\x00\x00\x00TFL2" + bytes(64), "identifier"),
        (b"not a model at all, only text in a file", "not a .tflite file"),
        (b"\xff\xff\xff\xffTFL3" + bytes(64), "outside the file"),
        (b"\x00\x00\x00\x00TFL3" + bytes(64), "damaged flatbuffer"),
    ],
)
def test_foreign_and_damaged_files(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_graph(content)


@pytest.mark.parametrize("keep", [16, 40, 100, 0.25, 0.5, 0.75, 0.99])
def test_truncated_files(keep: float) -> None:
    content = small_model()
    cut = keep if isinstance(keep, int) else int(keep * len(content))
    with pytest.raises(ModelError):
        read_graph(content[:cut])


def test_huge_vectors_are_refused_before_they_are_read() -> None:
    content = bytearray(small_model())
    graph_vectors = 0
    for position in range(8, len(content) - 4, 4):
        (value,) = struct.unpack_from("<I", content, position)
        if 0 < value < 200:
            damaged = bytearray(content)
            struct.pack_into("<I", damaged, position, 0x7FFFFFF0)
            try:
                read_graph(bytes(damaged))
            except ModelError:
                graph_vectors += 1
    assert graph_vectors > 50


def test_paths_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        read_graph(tmp_path / "missing.tflite")
    with pytest.raises(ModelError, match="is a directory"):
        read_graph(tmp_path)
    huge = tmp_path / "huge.tflite"
    with huge.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ModelError, match="no microcontroller"):
        read_graph(huge)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="not a regular file"):
        read_graph(pipe)


def test_a_model_without_operators_is_refused_unless_it_hands_its_input_on() -> None:
    builder = ModelBuilder("nothing")
    builder.output(builder.input((1, 4), "int8"))
    graph = builder.graph()
    assert read_graph(builder.build()).main.operators == ()
    main = replace(graph.main, outputs=())
    with pytest.raises(ModelError, match="no operator"):
        read_graph(write_model(replace(graph, subgraphs=(main,))))


def test_operators_out_of_order_are_refused() -> None:
    builder = ModelBuilder("late")
    x = builder.input((1, 4), "int8")
    builder.output(builder.relu(builder.relu(x)))
    graph = builder.graph()
    main = replace(graph.main, operators=graph.main.operators[::-1])
    with pytest.raises(ModelError, match="cyclic or not in execution order"):
        read_graph(write_model(replace(graph, subgraphs=(main,))))
