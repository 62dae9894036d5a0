"""The schema that ships is that of the ``tflite`` package."""

from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.model.builder import ModelBuilder
from predictor.model.schema import fields
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model


def test_schema_is_up_to_date() -> None:
    pytest.importorskip("tflite", reason="pip install tflite")
    from tools import tflite_schema

    assert tflite_schema.FILE.read_text() == tflite_schema.text()


def test_fields_with_defaults_and_vectors() -> None:
    dilation, shape = fields("Conv2DOptions")["dilation_w_factor"], fields("Tensor")["shape"]
    assert (dilation.slot, dilation.kind, dilation.default) == (4, "int32", 1)
    assert (shape.kind, shape.is_vector, shape.is_number) == ("int32", True, False)


@pytest.mark.parametrize(("newer", "older"), [(True, True), (True, False), (False, True)])
def test_which_of_both_operator_codes_a_file_has(newer: bool, older: bool) -> None:
    builder = ModelBuilder("codes")
    builder.output(builder.relu(builder.input((1, 4))))
    graph = builder.graph()
    op = replace(graph.main.operators[0], has_newer_code=newer, has_older_code=older)
    content = write_model(replace(graph, subgraphs=(replace(graph.main, operators=(op,)),)))
    found = read_graph(content).main.operators[0]
    assert (found.has_newer_code, found.has_older_code) == (newer, older)
