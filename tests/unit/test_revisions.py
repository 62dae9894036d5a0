"""Revisions as data: one that differs from its base in one struct takes a folder with two files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from predictor.errors import RefusedError, RevisionError
from predictor.memory import revision as revisions
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph

FOLDER = Path(revisions.__file__).parent / "revisions"
CACHED = (
    revisions.known_name,
    revisions._header,
    revisions._own_header,
    revisions._kernel_set,
    revisions._load,
    revisions._structs,
)
DELTA = 'base = "2026.08"\ntitle = "one field more"\ncommit = "0123456789"\n'


@pytest.fixture
def new_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one more revision, which is empty."""
    shutil.copytree(FOLDER, tmp_path / "revisions")
    monkeypatch.setattr(revisions, "_FOLDER", tmp_path / "revisions")
    for function in CACHED:
        monkeypatch.setattr(revisions, function.__name__, function.__wrapped__)
    folder = tmp_path / "revisions" / "new"
    folder.mkdir()
    return folder


def _convolution() -> Graph:
    builder = ModelBuilder("model", seed=1)
    x = builder.conv_2d(builder.input((1, 8, 8, 4)), 8, kernel=3)
    builder.output(builder.softmax(builder.reshape(x, (1, -1))))
    return read_graph(builder.build())


@pytest.mark.parametrize("kernels", ["cmsis_nn", "reference", "mn"])
def test_one_more_field_takes_two_files(new_revision: Path, kernels: str) -> None:
    (new_revision / "revision.toml").write_text(DELTA)
    base, graph = load_revision("2026.08", kernels), _convolution()
    same = load_revision("new", kernels)
    assert (same.name, same.flow, same.rules) == ("new", base.flow, base.rules)
    assert arena(graph, same).persistent_bytes == arena(graph, base).persistent_bytes
    fields = ["enum", "i32", "i32", "enum", "i32", "i32", "enum", "i32"]
    (new_revision / "conv.toml").write_text(f"[structs]\nTfLiteConvParams = {fields}\n")
    changed = load_revision("new", kernels)
    grown = changed.structs.size_of("TfLiteConvParams") - base.structs.size_of("TfLiteConvParams")
    assert grown == 4
    asked = [
        arena(graph, item).breakdown["builtinData"].requested_bytes for item in (base, changed)
    ]
    assert asked[1] - asked[0] == grown


def test_kernels_of_a_library_may_have_structs_of_their_own(new_revision: Path) -> None:
    (new_revision / "revision.toml").write_text(DELTA + '[cmsis_nn]\nConvOpData = ["OpDataConv"]\n')
    reference, cmsis_nn = (load_revision("new", name) for name in ("reference", "cmsis_nn"))
    assert cmsis_nn.structs.size_of("ConvOpData") == reference.structs.size_of("ConvOpData")


def test_operators_that_a_revision_lacks(new_revision: Path) -> None:
    (new_revision / "revision.toml").write_text(DELTA + 'absent = ["SOFTMAX"]\n')
    with pytest.raises(RefusedError, match="no such operator"):
        arena(_convolution(), load_revision("new"))
    arena(_convolution(), load_revision("2026.08"))


def test_unknown_names() -> None:
    with pytest.raises(RevisionError, match="unknown TFLM revision 'new'; known: "):
        load_revision("new")
    with pytest.raises(RevisionError, match="has no kernel set 'fast'; known: cmsis_nn, "):
        load_revision(kernels="fast")


@pytest.mark.parametrize(
    ("name", "stands_in"),
    [
        ("2024.06", "2024.05"),
        ("2024.11", "2024.05"),
        ("2026.09", "2026.08"),
        ("2022.12", "2020.07"),
    ],
)
def test_an_unknown_month_goes_by_the_last_before_it(name: str, stands_in: str) -> None:
    found, known = load_revision(name), load_revision(stands_in)
    assert (found.name, found.commit) == (stands_in, known.commit)
    assert f"TFLM {name} is not known: {stands_in} stands in" in found.note
    assert "stands in" not in known.note
    assert found is load_revision(name)
    graph = _convolution()
    assert arena(graph, found).required_bytes == arena(graph, known).required_bytes


@pytest.mark.parametrize("name", ["2019.12", "2024.13", "2024.6", "2024.06+static", "2024"])
def test_other_dates_are_unknown(name: str) -> None:
    with pytest.raises(RevisionError, match="unknown TFLM revision"):
        load_revision(name)
