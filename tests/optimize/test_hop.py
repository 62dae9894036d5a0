"""Networks over a hop: equal to those over the window on sliding inputs, proved, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from predictor.cli.main import cli
from predictor.errors import UnprovedError, UsageError
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import autoencoder, ds_cnn
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.compaction.surgery import integers, with_values
from predictor.optimization.sliding import SlidingModel, sliding_model
from predictor.optimization.stripes.hop import with_hop
from predictor.optimization.verification.hops import prove_hop
from predictor.proof.sliding import prove_windows, windows

pytestmark = pytest.mark.usefixtures("tflite_micro")


def _valid() -> ModelBuilder:
    """Layers in time without padding, as streaming networks are trained."""
    builder = ModelBuilder("valid")
    x = builder.input((1, 30, 1, 8))
    x = builder.conv_2d(x, 8, kernel=(5, 1), padding="valid", activation="relu")
    y = builder.conv_2d(x, 8)
    x = builder.add(x, y)
    x = builder.depthwise_conv_2d(x, kernel=(3, 1), stride=(2, 1), padding="valid")
    x = builder.average_pool_2d(x)
    builder.output(builder.fully_connected(builder.reshape(x, (1, -1)), 3))
    return builder


def _flat() -> ModelBuilder:
    """The window comes as one row of numbers, as in TFLM's micro speech."""
    builder = ModelBuilder("flat")
    x = builder.reshape(builder.input((1, 20 * 8)), (1, 20, 8, 1))
    x = builder.conv_2d(x, 4, kernel=(6, 4), stride=2, activation="relu")
    builder.output(builder.fully_connected(builder.reshape(x, (1, -1)), 3))
    return builder


NETWORKS = {
    "valid": (_valid, (2, 6)),
    "flat": (_flat, (2, 4)),
    "ds_cnn": (lambda: ds_cnn(channels=8, blocks=2), (2, 6)),
}


def _saves(model: SlidingModel) -> bool:
    before, after = model.instructions
    return after < before


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_successive_windows_are_equal(name: str) -> None:
    make, hops = NETWORKS[name]
    content = bytes(make().build())
    for rows in hops:
        model = sliding_model(content, rows, "f446re", kernels="cmsis_nn")
        check = prove_windows(content, model.content, model.hop.warm_up, 12)
        assert check.passed, check.finding
        assert _saves(model)
        assert model.after.graph.main.tensors[model.after.graph.main.inputs[0]].shape[1] == rows


def test_without_padding_only_new_rows_are_computed() -> None:
    model = sliding_model(bytes(_valid().build()), 2, "f446re")
    assert (model.hop.computed_rows, model.hop.layer_rows) == (1, 12)
    assert model.hop.warm_up == 15


def test_windows_that_differ_are_found() -> None:
    content = bytes(_valid().build())
    model = sliding_model(content, 2, "f446re")
    tensors = list(model.hop.graph.main.tensors)
    op = next(op for op in model.hop.graph.main.operators if op.name == "CONV_2D")
    tensors[op.inputs[1]] = with_values(tensors[op.inputs[1]], -integers(tensors[op.inputs[1]]))
    main = replace(model.hop.graph.main, tensors=tuple(tensors))
    wrong = write_model(replace(model.hop.graph, subgraphs=(main,)))
    assert prove_windows(content, wrong, model.hop.warm_up, 5).passed is False
    other = (b"\x00",)
    assert prove_windows(content, model.content, model.hop.warm_up, 1, [other]).passed is False


def test_a_window_begins_with_enough_rows() -> None:
    rows = [np.full((1, 2, 1, 3), step) for step in range(3)]
    found = windows(rows, 4, np.empty((1, 12)))
    assert found[0] is None
    assert found[2] is not None
    assert found[2].tolist() == [[1] * 6 + [2] * 6]


def test_other_kept_rows_are_no_proof() -> None:
    """Which rows a variable keeps is read from the graph, not believed."""
    graph = read_graph(bytes(_valid().build()))
    hop = with_hop(graph, 2, [1.0] * len(graph.main.operators))
    assert prove_hop(hop.window, hop.graph, 2, hop.kept) == hop.warm_up
    assigned = {op.inputs[1] for op in hop.graph.main.operators if op.name == "ASSIGN_VARIABLE"}
    kept = [op for op in hop.graph.main.operators if {*op.outputs} & assigned]
    assert [op.name for op in kept] == ["GATHER", "GATHER"]
    for op in kept:
        tensors = list(hop.graph.main.tensors)
        tensors[op.inputs[1]] = with_values(
            tensors[op.inputs[1]], integers(tensors[op.inputs[1]]) - 1
        )
        main = replace(hop.graph.main, tensors=tuple(tensors))
        with pytest.raises(UnprovedError):
            prove_hop(hop.window, replace(hop.graph, subgraphs=(main,)), 2, hop.kept)


@pytest.mark.parametrize(
    ("builder", "rows", "words"),
    [
        (autoencoder(features=64, units=16), 1, "FULLY_CONNECTED"),
        (ds_cnn(channels=8, blocks=1), 3, "whole rows"),
        (_valid(), 30, "none of a window of 30 rows"),
    ],
)
def test_what_prevents_it_is_named(builder: ModelBuilder, rows: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sliding_model(bytes(builder.build()), rows, "f446re")


def test_command(tmp_path: Path) -> None:
    before, after = tmp_path / "window.tflite", tmp_path / "hop.tflite"
    content = bytes(_flat().build())
    before.write_bytes(content)
    arguments = ["optimize", str(before), "--hop", "2", "-o", str(after), "--format", "json"]
    result = CliRunner().invoke(cli, [*arguments, "--kernels", "cmsis_nn", "--time-limit", "2"])
    assert result.exit_code == 0, result.output
    hop = json.loads(result.output)["hop"]
    assert hop["rows"] == 2
    assert hop["instructions"]["hop"] < hop["instructions"]["window"]
    check = prove_windows(content, after.read_bytes(), hop["warm_up_hops"], 5)
    assert check.passed, check.finding
    result = CliRunner().invoke(cli, ["optimize", str(before), "--hop", "2", "--time-limit", "2"])
    assert result.exit_code == 0
    assert "less work" in result.output
