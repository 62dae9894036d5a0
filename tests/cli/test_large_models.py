"""Models of thousands of operators, which no microcontroller holds: each command ends soon."""

from __future__ import annotations

import gc
import re
import weakref
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import pytest

from predictor.boards.board import shipped_boards
from predictor.cli.main import run
from predictor.cost.instructions import all_loops
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.graph import Graph, Operator, Quantization, Subgraph, Tensor, TensorType
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.prediction import predict_graph
from predictor.semantics.shapes import contradictions

COUNT = 2_800


def _chain(name: str, count: int, **options: object) -> Graph:
    """Operators each of which reads what the one before writes."""
    tensors = tuple(
        Tensor(index, f"t{index}", (1, 16), TensorType.INT8, None, Quantization((0.5,), (0,)))
        for index in range(count + 1)
    )
    made = tuple(
        Operator(index, name, (index,), (index + 1,), options=MappingProxyType(options))
        for index in range(count)
    )
    return Graph((Subgraph(0, "", tensors, made, (0,), (count,)),))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("large") / "large.tflite"
    path.write_bytes(write_model(_chain("RELU", COUNT)))
    return str(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--board", "all", "--format", "json"), "boards would have .* characters.*: name one"),
        (("--tflm", "all"), rf"{2 * COUNT + 4:,} tensors, .*TFLMs: name one"),
    ],
)
def test_what_would_take_long_is_refused(
    model: str, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([model, *options]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1
    assert re.search(words, said.err)


def test_all_boards_in_a_table(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([model, "--board", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > len(shipped_boards())


def test_a_page_shows_a_part_and_says_so(model: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    run(["report", model, "-o", str(path)])
    page = path.read_text()
    assert "the first 2,000 of 2,800 operators" in page
    assert "the picture shows the 2,000 largest of 2,801 buffers" in page
    assert page.count("<tr><th") < 2_100
    assert "100.0%" not in page  # shares are of all layers, not of those shown


def test_equal_operators_are_counted_once() -> None:
    graph = read_graph(write_model(_chain("RELU", 50)))
    prediction = predict_graph(graph)
    assert len({id(item) for item in all_loops(prediction.arena.prepared)}) == 1
    assert len({id(item) for item in prediction.works}) == 1
    assert contradictions(graph) is contradictions(graph)


def test_what_was_refused_is_soon_forgotten() -> None:
    """Many preparations in one process would fill its memory, as large models are not looked
    through for cycles soon."""
    graph = _chain("NO_SUCH_OPERATOR", 3)
    kept = weakref.ref(graph)
    gc.collect()
    gc.disable()
    try:
        with suppress(RefusedError):
            arena(graph, load_revision("2026.08"))
        del graph
        assert kept() is None
    finally:
        gc.enable()
