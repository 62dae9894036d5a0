"""Every command is readable on a terminal of 80 columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.cli import main as nas
from predictor import toml
from predictor.cli import doctor
from predictor.cli.main import _COMMANDS, run
from predictor.console.output import folded
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS

WIDTH = 80
COLORS = re.compile(r"\x1b\[[0-9;]*m")
LONG = "model/block_12_separable_convolution/batch_normalization/FusedBatchNormV3;model/block_12"
COMMANDS = (
    "kws.tflite",
    "kws.tflite --board all",
    "kws.tflite large.tflite --shared-arena --board f446re",
    "large.tflite --board f446re --per-layer --verbose",
    "large.tflite --max-arena 1KB --max-latency 1us --fps 1 --battery 2Wh",
    "named.tflite --board f446re",
    "refused.tflite",
    "compare kws.tflite large.tflite",
    "compare kws.tflite large.tflite --board f446re --board f746zg --board f767zi",
    "check",
    "optimize kws.tflite --time-limit 2",
    "optimize --verify kws.tflite kws.tflite",
    "doctor",
    "boards",
    "boards f446re",
    "boards stm32f4discovery",
    "tflm",
    "characterize --n 1 --out study",
)
BUDGETS = """
[tool.predictor.budgets."*.tflite"]
board = ["all"]
max_arena = "10KB"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with models, and a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr(doctor, "examine", lambda path: _tools())
    Path("kws.tflite").write_bytes(EXAMPLE_MODELS["ds_cnn"]().build())
    Path("large.tflite").write_bytes(EXAMPLE_MODELS["mobilenet_v2"]().build())
    builder = ModelBuilder("named")
    x = builder.input((1, 400, 400, 1), name=LONG)
    builder.output(builder.relu(x, name=f"{LONG}/Relu"))
    Path("named.tflite").write_bytes(builder.build())
    builder = ModelBuilder("refused")
    y = builder.relu(builder.input((1, 8), "float32"))
    builder.output(*builder.operator("POW", [y, y], [((1, 8), "float32")], None))
    Path("refused.tflite").write_bytes(builder.build())
    Path("predictor.toml").write_text(BUDGETS)


def _tools() -> list[doctor.Tool]:
    """All tools, as if none were there: to look for them takes a minute."""
    with doctor.TOOLS.open("rb") as file:
        entries = toml.load(file)["tools"]
    return [
        doctor.Tool(item["name"], "missing", "", item["purpose"], False, doctor.install(item))
        for item in entries
    ]


def _on_a_terminal(
    start: Callable[[list[str]], int],
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    is_terminal: bool = True,
) -> tuple[int, str]:
    """The exit code and what was printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: is_terminal)
        code = start(arguments)
    return code, capsys.readouterr().out


def _wide(printed: str) -> list[str]:
    """Lines that are too wide, but for those that one word fills: a path or a link."""
    lines = COLORS.sub("", printed).splitlines()
    return [line for line in lines if len(line) > WIDTH and len(line.split()) > 1]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    if command.startswith("characterize"):
        pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    code, printed = _on_a_terminal(run, command.split(), capsys)
    assert code in (0, 1, 3)
    assert printed.count("\n") > 0
    assert not _wide(printed)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("start", "name"),
    [(run, name) for name in ("", *_COMMANDS)] + [(nas.run, name) for name in ("", *nas._COMMANDS)],
)
def test_help_is_no_wider(
    start: Callable[[list[str]], int], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = _on_a_terminal(start, [*([name] if name else []), "--help"], capsys)
    assert code == 0
    assert "Usage" in printed
    assert not _wide(printed)


@pytest.mark.usefixtures("folder")
def test_the_tasks_of_the_search_are_no_wider(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = _on_a_terminal(nas.run, ["tasks"], capsys)
    assert (code, _wide(printed)) == (0, [])


@given(st.lists(st.text("abc", min_size=1, max_size=12), min_size=1, max_size=40), st.booleans())
def test_folding_keeps_the_words(words: list[str], has_columns: bool) -> None:
    line = f"{words[0]:14}{' '.join(words[1:])}" if has_columns else " ".join(words)
    parts = folded(line, WIDTH).splitlines()
    assert all(len(part) <= WIDTH for part in parts)
    assert " ".join(parts).split() == line.split()
    if len(line) <= WIDTH:
        assert parts == [line.rstrip("\n")]


def test_other_lines_begin_where_the_last_column_does() -> None:
    line = f"ok       OR-tools           9.15  {'purpose ' * 10}".rstrip()
    first, second = folded(line, WIDTH).splitlines()
    assert second.index("purpose") == first.index("purpose")


@pytest.mark.usefixtures("folder")
def test_what_goes_to_a_file_or_a_pipe_is_not_folded(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed = _on_a_terminal(run, ["check"], capsys, is_terminal=False)
    assert _wide(printed)
