"""Exit codes are interface: the table of docs/reference/cli.md, each cell of it run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import pytest

from nas.cli import main as nas
from predictor.cli import doctor
from predictor.cli.main import LazyGroup, cli, main, run
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
NEEDS_MORE = {
    "emulate 0": "tests/cli/test_emulate.py, with a toolchain",
    "firmware 0": "tests/emulation/firmware, with a toolchain",
    "measure 0": "tests/measure/test_measure_command.py, with an emulated board",
    "calibrate 0": "tests/calibration/test_calibrate_command.py, with SciPy",
    "diff 0": "tests/export, with a toolchain",
    "diff 1": "tests/export, with a toolchain",
}
"""Cells that other tests run."""


def _documented(program: str = "predict") -> dict[str, bool]:
    """Whether the page says that a command ends with a code, by "command code"."""
    found = {}
    for line in PAGE.read_text().splitlines():
        match = re.match(rf"\| `{program} (\w+)` \|(.*)\|$", line)
        if match is not None:
            for code, words in enumerate(match[2].split("|")):
                found[f"{match[1]} {code}"] = words.strip() != "-"
    return found


DOCUMENTED = _documented()
GOOD, LARGE, BAD, OUT = "kws.tflite", "large.tflite", "bad.tflite", "nowhere/out"
COMMANDS: Mapping[str, str] = {
    "model 0": GOOD,
    "model 1": BAD,
    "model 2": f"{GOOD} --board f999",
    "model 3": f"{GOOD} --max-macs 1",
    "emulate 1": f"emulate {BAD}",
    "emulate 2": f"emulate {GOOD} --board f999",
    "emulate 3": f"emulate {LARGE} --board f446re",
    "firmware 1": f"firmware {BAD} --board f446re",
    "firmware 2": f"firmware {GOOD} --board f999",
    "firmware 3": f"firmware {LARGE} --board f446re",
    "measure 1": f"measure {BAD} --board f446re",
    "measure 2": f"measure {GOOD} --board f999",
    "measure 3": f"measure {LARGE} --board f446re",
    "calibrate 1": "calibrate measurements.csv --board f446re --output nowhere/out.toml",
    "calibrate 2": "calibrate measurements.csv --board f446re",
    "characterize 0": "characterize --n 1 --out study",
    "characterize 1": f"characterize --n 1 --out {GOOD}/study",
    "characterize 2": "characterize --n 1 --board f999 --out study",
    "report 0": f"report {GOOD} -o report.html",
    "report 1": f"report {BAD} -o report.html",
    "report 2": f"report {GOOD} --board f999 -o report.html",
    "report 3": f"report {LARGE} --board f446re -o report.html",
    "compare 0": f"compare {GOOD} {LARGE}",
    "compare 1": f"compare {GOOD} {BAD}",
    "compare 2": f"compare {GOOD}",
    "compare 3": f"compare {GOOD} {LARGE} --max-regression arena=1%",
    "check 0": "check --config good.toml",
    "check 1": "check --config bad.toml",
    "check 2": "check --config nowhere.toml",
    "check 3": "check --config tight.toml",
    "optimize 0": f"optimize {GOOD} -o smaller.tflite",
    "optimize 1": f"optimize {BAD} -o smaller.tflite",
    "optimize 2": f"optimize {GOOD} --board f999 -o smaller.tflite",
    "optimize 3": f"optimize {LARGE} --board f446re -o smaller.tflite",
    "example 0": "example -o example.tflite",
    "example 1": f"example -o {OUT}",
    "example 2": "example nothing -o example.tflite",
    "export 0": f"export {GOOD} --for bare -o project",
    "export 1": f"export {BAD} --for bare -o project",
    "export 2": f"export {GOOD} --for bare --board f999 -o project",
    "export 3": f"export {LARGE} --for bare --board f446re -o project",
    "kernels 0": "kernels -o library",
    "kernels 1": f"kernels -o {GOOD}/library",
    "kernels 2": "kernels --nothing",
    "diff 2": f"diff {GOOD} --elf {GOOD}",
    "tflm 0": "tflm",
    "tflm 2": "tflm use nowhere",
    "doctor 0": "doctor",
    "doctor 1": "doctor",
    "doctor 2": "doctor --format yaml",
    "boards 0": "boards",
    "boards 2": "boards f999",
}
ROW = "a,f446re,180000000,r,2026.08,cmsis_nn,{s},bench,{n}\n"
MEASUREMENTS = (
    "model,board,clock_hz,runtime,revision,kernels,latency_s,source,instructions\n"
    + ROW.format(s=0.01, n=1_000_000)
    + ROW.format(s=0.02, n=2_000_000).replace("a,", "b,", 1)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands name."""
    monkeypatch.chdir(tmp_path)
    Path(GOOD).write_bytes(ds_cnn(blocks=1).build())
    builder = ModelBuilder("large")
    builder.output(builder.relu(builder.input((1, 400, 400, 8))))
    Path(LARGE).write_bytes(builder.build())
    Path(BAD).write_bytes(b"no model")
    Path("measurements.csv").write_text(MEASUREMENTS)
    budgets = {"good": (GOOD, ""), "bad": (BAD, ""), "tight": (GOOD, "max_macs = 1")}
    for name, (model, budget) in budgets.items():
        Path(f"{name}.toml").write_text(f'[tool.predictor.budgets."{model}"]\n{budget}\n')
    return tmp_path


def _tools(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    tool = doctor.Tool("x", state, "", "all", True, "pip install x")
    monkeypatch.setattr(doctor, "examine", lambda path: [tool])


SET_UPS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "doctor 0": lambda monkeypatch: _tools(monkeypatch, "ok"),
    "doctor 1": lambda monkeypatch: _tools(monkeypatch, "missing"),
}


def test_the_page_lists_all_commands_and_this_test_all_cells() -> None:
    listed = {cell.split()[0] for cell in DOCUMENTED}
    assert isinstance(cli, LazyGroup)
    assert listed == set(cli.list_commands(click.Context(cli)))
    assert {cell for cell, has in DOCUMENTED.items() if has} == set(COMMANDS) | set(NEEDS_MORE)


@pytest.mark.parametrize("cell", COMMANDS)
def test_a_command_ends_with_the_code_that_the_page_says(
    cell: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if cell in SET_UPS:
        SET_UPS[cell](monkeypatch)
    if cell.startswith(("calibrate", "optimize")):
        pytest.importorskip("scipy" if cell.startswith("calibrate") else "ortools")
    assert run(COMMANDS[cell].split()) == int(cell.split()[1])
    printed = capsys.readouterr()
    if cell.endswith((" 1", " 2")):
        assert "Traceback" not in printed.err


@pytest.mark.parametrize("name", sorted({cell.split()[0] for cell in DOCUMENTED}))
def test_all_commands_can_be_interrupted(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None

    def interrupted(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "callback", interrupted)
    monkeypatch.setattr(command, "params", [])
    with pytest.raises(SystemExit) as ended:
        main([name])
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip().endswith("interrupted")


def test_the_page_lists_the_commands_of_the_search() -> None:
    assert isinstance(nas.cli, nas.LazyGroup)
    listed = {cell.split()[0] for cell in _documented("nas")}
    assert listed == set(nas.cli.list_commands(click.Context(nas.cli)))


@pytest.mark.parametrize("name", sorted({cell.split()[0] for cell in _documented("nas")}))
def test_a_wrong_request_of_the_search(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its other codes need TensorFlow: tests/nas."""
    assert nas.run([name, "--nothing"]) == 2
    assert capsys.readouterr().err.startswith(f"Usage: nas {name}")
