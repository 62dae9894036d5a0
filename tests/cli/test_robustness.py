"""Files that once broke a command, and small ones of each kind: one line, the right code, and
nothing that a terminal obeys."""

from __future__ import annotations

import ast
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.cli.main import run
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from tests.shared_data import SHARED

CASES = SHARED / "cases" / "robustness"
CODES = {0, 1, 2, 3}
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = {
    "color": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;pwned\x07",
    "c1": "\x9b31m",
    "delete": "\x7f\x08\x08",
    "zero": "0\x00\x00",
    "line": "x\nFITS  everything",
    "return": "x\rFITS",
    "bidi": "\u202egnp\u202c",
    "markup": "<script>alert(1)</script>&amp;",
    "markdown": "|`*_[x](y)\\",
    "workflow": "x\n::error file=y::z",
    "rich": "[red]x[/red][/]",
}


def _models() -> list[Path]:
    return sorted(CASES.glob("*.tflite")) if CASES.is_dir() else []


def _index() -> dict[str, dict[str, str]]:
    """The options of each file of the index."""
    if not CASES.is_dir():
        return {}
    rows = [line.split("\t") for line in (CASES / "INDEX.txt").read_text().splitlines()]
    return {row[0]: ast.literal_eval(row[1]) if row[1].startswith("{") else {} for row in rows}


def _commands(model: Path, folder: Path) -> list[list[str]]:
    name = str(model)
    return [
        [name, "--per-layer"],
        [name, "--format", "json"],
        [name, "--format", "markdown", "--per-layer"],
        [name, "--board", "all"],
        ["compare", name, name, "--format", "markdown"],
        ["compare", name, "--board", "f446re", "--board", "f746zg"],
        ["report", name, "-o", str(folder / "page.html")],
        ["report", name, "--format", "svg", "-o", str(folder / "plan.svg")],
        ["optimize", name, "--time-limit", "0.2", "--plan", str(folder / "new.svg")],
        ["optimize", name, "--time-limit", "0.2", "--format", "json"],
    ]


def _check(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that may do anything but break; what it printed."""
    assert run(arguments) in CODES
    printed = capsys.readouterr()
    assert not UNSAFE.search(printed.out + printed.err), arguments
    if "json" in arguments and printed.out:
        json.loads(printed.out, parse_constant=pytest.fail)
    for path in folder.glob("*.svg"):
        ElementTree.parse(path)
        assert not UNSAFE.search(path.read_text())
        path.unlink()
    for path in folder.glob("*.html"):
        assert not UNSAFE.search(path.read_text())
        path.unlink()
    return printed.out


def _options(name: str) -> list[str]:
    return [
        word for key, value in _index().get(name, {}).items() for word in (f"--{key}", str(value))
    ]


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/robustness")
@pytest.mark.parametrize("path", _models(), ids=lambda path: path.name)
def test_models_that_broke_a_command(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = _options(path.name)
    for arguments in _commands(path, tmp_path)[::2]:
        _check([*arguments, *options], tmp_path, capsys)


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/robustness")
@pytest.mark.parametrize(
    "path", sorted(CASES.glob("*.toml")) if CASES.is_dir() else [], ids=lambda path: path.name
)
def test_tables_that_broke_a_command(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 4)), 2))
    Path("m.tflite").write_bytes(builder.build())
    shutil.copy(path, "case.toml")
    before = sorted(tmp_path.rglob("*"))
    for arguments in (
        ["m.tflite", "--board", "case.toml"],
        ["m.tflite", "--board", "case.toml", "--format", "json", "--fps", "1"],
        ["firmware", "m.tflite", "--board", "case.toml", "--out", "out"],
        ["check", "--config", "case.toml"],
    ):
        assert run(arguments) in {1, 2}
        printed = capsys.readouterr()
        assert len(printed.err.splitlines()) <= 1
        assert not UNSAFE.search(printed.out + printed.err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/robustness")
def test_the_index_names_every_file() -> None:
    assert {path.name for path in CASES.iterdir()} == {*_index(), "INDEX.txt"}


def _named(graph: Graph, name: str) -> Graph:
    """The graph with one name for all tensors and the description."""
    return replace(
        graph,
        subgraphs=tuple(
            replace(
                subgraph,
                name=name,
                tensors=tuple(replace(tensor, name=name) for tensor in subgraph.tensors),
            )
            for subgraph in graph.subgraphs
        ),
    )


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_in_models(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder = ModelBuilder("m")
    x = builder.conv_2d(builder.input((1, 8, 8, 4)), 8, kernel=3)
    builder.output(builder.softmax(builder.reshape(x, (1, -1))))
    path = tmp_path / "m.tflite"
    path.write_bytes(write_model(_named(read_graph(builder.build()), HOSTILE[kind])))
    for arguments in _commands(path, tmp_path):
        out = _check(arguments, tmp_path, capsys)
        assert not [line for line in out.splitlines() if line.startswith(("FITS  every", "::"))]


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_of_operators_in_errors(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ModelBuilder("m")
    x = builder.input((1, 4))
    (y,) = builder.operator(HOSTILE[kind], [x], [((1, 4), "int8")], is_custom=True, label="y")
    builder.output(y)
    path = tmp_path / "m.tflite"
    path.write_bytes(builder.build())
    for arguments in _commands(path, tmp_path):
        assert run(arguments) == 1
        printed = capsys.readouterr()
        assert not UNSAFE.search(printed.out + printed.err)
        assert len(printed.err.splitlines()) <= 1


def test_names_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 4)), 2))
    for kind, name in HOSTILE.items():
        if "/" in name or "\0" in name:
            continue
        path = tmp_path / kind / f"{name}.tflite"
        path.parent.mkdir()
        path.write_bytes(builder.build())
        for arguments in _commands(path, tmp_path):
            _check(arguments, tmp_path, capsys)
    budgets = '[tool.predictor.budgets."*/*.tflite"]\nmax_arena = "1B"\n'
    config = tmp_path / "predictor.toml"
    config.write_text(budgets)
    junit, sarif = tmp_path / "junit.xml", tmp_path / "check.sarif"
    arguments = ["check", "--config", str(config), "--junit", str(junit), "--sarif", str(sarif)]
    for form in ("text", "json", "markdown"):
        out = _check([*arguments, "--format", form, "--annotations", "github"], tmp_path, capsys)
        assert "FITS  everything" not in [line.strip() for line in out.splitlines()]
        ElementTree.parse(junit)
        json.loads(sarif.read_text())


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "1e400", "x", ""])
@pytest.mark.parametrize("option", ["--fps", "--battery", "--max-latency", "--reserve-ram"])
def test_figures_on_the_command_line(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 4)), 2))
    path = tmp_path / "m.tflite"
    path.write_bytes(builder.build())
    out = _check([str(path), option, value, "--format", "json"], tmp_path, capsys)
    if out:
        assert option == "--reserve-ram"  # zero is a size
        assert value == "0"
