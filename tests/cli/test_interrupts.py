"""Whatever ends a command, it is one line and the documented code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from predictor.cli.main import run
from predictor.model.example_models import autoencoder
from predictor.optimization import exact_planner

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

# Runs a script of the package; the signal comes amid the import of a module.
SIGNAL_AT_IMPORT = """
import os, sys
module, number, script, *arguments = sys.argv[1:]

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(number))

import predictor.start
sys.meta_path.insert(0, Finder())
sys.argv = [script, *arguments]
getattr(predictor.start, script)()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(autoencoder().build())
    return path


def _with_default_signals() -> None:
    """What started the tests may ignore signals, as shells do for commands in the background."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("module", ["click", "predictor.cli.model", "predictor.prediction", "json"])
def test_a_signal_during_imports(module: str, number: signal.Signals, model: Path) -> None:
    command = [sys.executable, "-c", SIGNAL_AT_IMPORT, module, str(int(number)), "predict"]
    done = subprocess.run(
        [*command, str(model), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_with_default_signals,
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals_that_are_ignored_stay_ignored(number: signal.Signals, model: Path) -> None:
    """As under nohup, or for Ctrl-C in a script's background."""
    command = [sys.executable, "-c", SIGNAL_AT_IMPORT, "click", str(int(number)), "predict"]
    done = subprocess.run(
        [*command, str(model)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_sigterm_counts_where_ctrl_c_is_ignored(model: Path) -> None:
    command = [sys.executable, "-c", SIGNAL_AT_IMPORT, "predictor.prediction"]
    done = subprocess.run(
        [*command, str(int(signal.SIGTERM)), "predict", str(model)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"


@pytest.fixture
def interrupted_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Interrupts the solver in its n-th run, once it has a plan."""

    def at(wanted: int) -> None:
        runs = 0
        original = exact_planner._Solver.run

        def interrupt(self: Any) -> None:
            nonlocal runs
            runs += 1
            original(self)
            if runs == wanted:
                raise KeyboardInterrupt

        monkeypatch.setattr(exact_planner._Solver, "run", interrupt)

    return at


@pytest.mark.parametrize("wanted", [1, 2])
def test_an_interrupted_report_is_not_written(
    wanted: int, model: Path, interrupted_at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted_at(wanted)
    output = model.with_name("report.html")
    assert run(["report", str(model), "--optimize", "-o", str(output)]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"
    assert not output.exists()


@pytest.mark.parametrize("wanted", [1, 2, 3, 4])
def test_an_interrupted_solver_says_so_wherever_it_was(
    wanted: int, tmp_path: Path, interrupted_at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layers that can be steered bring further runs, for plans that cost fewer instructions."""
    pytest.importorskip("ortools", reason='pip install -e ".[optimize]"')
    from predictor.model.builder import ModelBuilder

    builder = ModelBuilder("steered")
    x = builder.input((1, 24, 24, 4))
    for channels in (16, 8, 16):
        x = builder.depthwise_conv_2d(builder.conv_2d(x, channels, kernel=1), kernel=3)
    builder.output(x)
    path = tmp_path / "steered.tflite"
    path.write_bytes(builder.build())
    interrupted_at(wanted)
    assert run(["optimize", str(path), "-o", str(tmp_path / "new.tflite")]) == 130
    assert "interrupted: the best plan found until then was kept" in capsys.readouterr().err
    assert (tmp_path / "new.tflite").exists()


def _shell(command: str, model: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    predict = f"{sys.executable} -c 'from predictor.start import predict; predict()'"
    return subprocess.run(
        ["/bin/sh", "-c", command.format(predict=predict, model=model)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **environment},
        cwd=model.parent,
    )


COMMANDS = ["{model}", "{model} --format json", "--help", "--version", "boards", "optimize --help"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("redirection", "words"),
    [
        ("> /dev/full", "cannot write to standard output: No space left on device"),
        (">&-", "cannot write to standard output: Bad file descriptor"),
    ],
)
def test_output_that_cannot_be_written(
    command: str, redirection: str, words: str, model: Path
) -> None:
    done = _shell(f"{{predict}} {command} {redirection}", model)
    assert done.stderr.splitlines()[-1:] == [f"predict: {words}"]
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 1


def test_nobody_has_to_listen_to_messages(model: Path) -> None:
    for redirection in ("2> /dev/full", "2>&-", "2>&- >&- <&-", "2> /dev/full < /dev/null"):
        done = _shell(f"{{predict}} {{model}} --output report {redirection}", model)
        assert done.returncode == 0, redirection
        assert "fits" in (model.parent / "report").read_text().lower()
        (model.parent / "report").unlink()
        assert _shell(f"{{predict}} none.tflite {redirection}", model).returncode == 1
    assert model.read_bytes() == autoencoder().build()


_STRICT = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "latin-1:strict"},
)
_STRANGE = ("mödel.tflite", "模型.tflite", "\udcff\udcfe.tflite")
_FORMS = (
    "",
    "--format json",
    "--format markdown",
    "--output out",
    "--per-layer",
    "--board all",
)


# Each two of locale, name and form meet.
@pytest.mark.parametrize(
    ("environment", "name", "command"),
    [
        (environment, _STRANGE[(i + k) % len(_STRANGE)], command)
        for i, environment in enumerate(_STRICT)
        for k, command in enumerate(_FORMS)
    ],
    ids=str,
)
def test_strict_locales_and_names(
    environment: dict[str, str], name: str, command: str, model: Path
) -> None:
    raw = os.fsencode(name) if "\udcff" in name else name.encode()
    model.rename(os.fsdecode(os.path.join(os.fsencode(model.parent), raw)))
    done = _shell(f"{{predict}} *.tflite {command}", model, **environment)
    assert done.stderr == ""
    assert done.returncode in (0, 3)
    if command == "--output out":
        (model.parent / "out").read_text(encoding="utf-8")
