"""``predict emulate`` and ``predict firmware`` through their command lines."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from predictor.cli.main import run
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

pytestmark = pytest.mark.usefixtures("emulation_tools")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "ds_cnn.tflite"
    path.write_bytes(ds_cnn().build())
    return path


def large_model() -> bytes:
    """Too large for the smaller boards, of layers that any TFLM runs."""
    builder = ModelBuilder("large")
    x = builder.conv_2d(builder.input((1, 96, 96, 3)), 32, kernel=3)
    x = builder.average_pool_2d(builder.conv_2d(x, 16, kernel=3))
    x = builder.fully_connected(builder.reshape(builder.conv_2d(x, 1280), (1, -1)), 500)
    builder.output(x)
    return builder.build()


def test_one_screen_says_equal(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["emulate", str(model), "--board", "f446re"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("EQUAL  ds_cnn.tflite on ST NUCLEO-F446RE")
    assert "equal to the bit" in printed


def test_mn_kernels(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a device model, which TFLM's runtime on this host knows nothing of."""
    arguments = ["--board", "f746zg", "--kernels", "mn", "--format", "json"]
    assert run(["emulate", str(model), *arguments]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"]
    assert result["runtime"]["kernels"] == "mn"
    names = {item["operator"] for item in result["instructions"]["operators"]}
    assert {"MN_CONV_2D_S8", "MN_DEPTHWISE_CONV_2D_S8", "RESHAPE"} <= names


def test_a_profile_takes_the_in_process_emulator(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "profile.csv"
    arguments = ["--backend", "renode", "--profile", str(profile)]
    assert run(["emulate", str(model), *arguments]) == 2
    assert "--profile takes the in-process emulator" in capsys.readouterr().err
    assert not profile.exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--profile", "--profile takes the in-process emulator, which mps3-an547 does not have"),
        ("--robot", "--robot writes a suite of Renode's: add --backend renode"),
    ],
)
def test_what_qemu_lacks(
    option: str, message: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--board", "mps3-an547", option, str(tmp_path / "out")]
    assert run(["emulate", str(model), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_json_trace_and_profile(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, profile = tmp_path / "trace.json", tmp_path / "profile.csv"
    files = ["--trace", str(trace), "--profile", str(profile)]
    assert run(["emulate", str(model), "--board", "f446re", "--format", "json", *files]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"]
    assert result["arena"]["predicted"] == result["arena"]["emulated"]
    operators = result["instructions"]["operators"]
    for operator in operators:  # on a Cortex-M4 none takes less than a cycle
        cycles = operator["cycles"]
        assert set(cycles) == {"issue", "memory", "arithmetic", "branch", "flash"}
        assert cycles.pop("flash") is None
        assert 0 <= cycles["issue"] - operator["instructions"] < 60
        assert cycles["memory"] > 0
    events = [e for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == "X"]
    drawn = [e for e in events if e["cat"] == "operator"]
    assert [e["args"]["instructions"] for e in drawn] == [o["instructions"] for o in operators]
    functions = [e for e in events if e["cat"] == "function"]
    for operator in drawn:
        end = operator["ts"] + operator["dur"]
        below = [e for e in functions if operator["ts"] <= e["ts"] < end - 1e-3]
        assert all(e["ts"] + e["dur"] <= end + 1e-3 for e in below)
        kernel = next(e for e in below if "::" in e["name"])
        # All but the call itself is spent in the kernel.
        assert 0 <= operator["args"]["instructions"] - kernel["args"]["instructions"] < 20
    rows = profile.read_text().splitlines()
    assert rows[0] == "function,calls,self_instructions,inclusive_instructions"
    assert len(rows) > 50


def test_an_arena_that_no_memory_holds_beside_the_program(tmp_path: Path) -> None:
    board = tmp_path / "two.toml"
    board.write_text(
        """name = "two"
core = {name = "cortex-m4", clock_hz = 16000000}
regions = [
  {name = "flash", kind = "flash", base = 0x08000000, bytes = 0x80000},
  {name = "main", kind = "sram", base = 0x20000000, bytes = 0x8000},
  {name = "other", kind = "sram", base = 0x30000000, bytes = 0x4000},
]
"""
    )
    builder = ModelBuilder("wide")
    builder.output(builder.conv_2d(builder.input((1, 64, 64, 3)), 4, kernel=1))
    path = tmp_path / "wide.tflite"
    path.write_bytes(builder.build())
    assert predict(path, str(board), tflm="2020.07").sram.is_spread
    assert run(["emulate", str(path), "--board", str(board)]) == 0


def test_where_the_time_goes(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["emulate", str(model), "--explain-time"]
    assert run([*arguments, "--board", "f446re", "--format", "json"]) == 0
    operators = json.loads(capsys.readouterr().out)["instructions"]["operators"]
    convolutions = [item["cycles"] for item in operators if "CONV" in item["operator"]]
    assert all(item["flash"]["constants"] > 0 for item in convolutions)
    assert run([*arguments, "--board", "f446re"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "waits for the flash included" in printed
    assert "where the cycles go, at 180 MHz" in printed
    assert run([*arguments, "--board", "f746zg"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "memory without waits" in printed
    assert "how the flash of f746zg answers is not known" in printed


def test_inputs_from_a_file(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "input.npy"
    np.save(path, np.full((1, 49, 10, 1), 7, np.int8))
    assert run(["emulate", str(model), "--board", "f446re", "--input", str(path)]) == 0
    np.save(path, np.zeros((1, 49, 10), np.int8))
    assert run(["emulate", str(model), "--board", "f446re", "--input", str(path)]) == 2


def test_a_model_that_does_not_fit_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.tflite"
    path.write_bytes(large_model())
    assert run(["emulate", str(path), "--board", "f446re"]) == 3
    assert "does not fit f446re" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("board", "messages"),
    [
        ("f446re", ["flash margin -", "the flash of f446re is"]),
        ("f746zg", ["DOES NOT FIT", "RAM margin -", "bytes short"]),
    ],
)
def test_forced_failures_agree_with_the_verdict(
    board: str, messages: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.tflite"
    path.write_bytes(large_model())
    assert run(["emulate", str(path), "--board", board, "--force"]) == 3
    printed = capsys.readouterr().out
    for message in messages:
        assert message in printed


def test_arena_of_the_wrong_size(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    required = predict(model, "f446re", tflm="2020.07", kernels="reference").arena.required_bytes
    arguments = ["emulate", str(model), "--board", "f446re", "--arena"]
    assert run([*arguments, str(required - 16)]) == 1
    assert "bytes short" in capsys.readouterr().out
    assert run([*arguments, str(required)]) == 0


def test_only_the_models_operators_where_flash_is_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ModelBuilder("wide")
    builder.output(builder.fully_connected(builder.input((1, 600), "int8"), 650))
    path = tmp_path / "wide.tflite"
    path.write_bytes(builder.build())
    assert run(["emulate", str(path), "--board", "f446re"]) == 0
    assert "the model's operators" in capsys.readouterr().out


def test_several_boards_and_junit(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.xml"
    boards = ["--board", "f446re", "--board", "f746zg", "--junit", str(report)]
    assert run(["emulate", str(model), *boards]) == 0
    assert "2 of 2 runs are equal" in capsys.readouterr().out
    assert ElementTree.parse(report).getroot().attrib["tests"] == "2"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_leave_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    build(firmware_target("f767zi"))
    path = tmp_path / "large.tflite"
    path.write_bytes(large_model())
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "predictor.cli.main", "emulate", str(path), str(path)]
    command += ["--board", "f767zi"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    while len(members := session_members(process.pid)) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if number == signal.SIGKILL:
        while session_members(process.pid):
            time.sleep(0.05)
        return
    assert errors.splitlines()[-1] == "interrupted"
    assert process.returncode == 130
    assert not session_members(process.pid), members
    assert not list(folder.iterdir())


def session_members(session: int) -> list[int]:
    """Processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def test_float_outputs_may_differ_by_rounding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ModelBuilder("float")
    x = builder.conv_2d(builder.input((1, 8, 8, 3), "float32"), 16, kernel=3)
    builder.output(builder.conv_2d(x, 16, kernel=3))
    path = tmp_path / "float.tflite"
    path.write_bytes(builder.build())
    assert run(["emulate", str(path), "--board", "f446re"]) == 0
    assert "equal within float rounding" in capsys.readouterr().out


@pytest.mark.parametrize("kernels", ["reference", "mn"])
def test_firmware_files(
    kernels: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--board", "f746zg", "--out", str(tmp_path), "--format", "json"]
    assert run(["firmware", str(model), "--kernels", kernels, *arguments]) == 0
    sizes = json.loads(capsys.readouterr().out)
    for kind in ("elf", "hex", "bin", "map", "model"):
        assert Path(sizes[kind]).stat().st_size > 0
    error = abs(sizes["code_bytes"] / sizes["predicted_code_bytes"] - 1)
    assert error < 0.01


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{model}", "--backend", "bochs"], 2, "--backend"),
        (["{model}", "--board", "f4"], 2, "unknown board"),
        (["{model}", "--input", "none.npy"], 2, "cannot read inputs"),
        (["missing.tflite"], 1, ""),
    ],
)
def test_errors(
    arguments: list[str],
    code: int,
    message: str,
    model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["emulate", *(item.format(model=model) for item in arguments)]) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err + printed.out
