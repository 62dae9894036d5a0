"""What users get for Renode: files that open the same machine, a robot suite, the command line."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.boards.board import find_board
from predictor.cli.main import run
from predictor.emulation.platform.description import read_platform
from predictor.emulation.platform.renode_classes import check_classes
from predictor.emulation.renode.machine_files import (
    Expected,
    Machine,
    command_line,
    machine_files,
    robot_suite,
)
from predictor.firmware.cache import CACHE_VARIABLE
from predictor.model.example_models import ds_cnn
from tests.emulation.renode.monitor import Monitor
from tests.emulation.renode.test_driver import put_on_path
from tests.emulation.renode.test_models import small_model

KEYWORDS = Path(__file__).parent / "keywords.robot"
ROOT = Path(__file__).parents[3]


def robot(suite: Path, out: Path, *variables: str) -> tuple[str, str]:
    """(status, message) of a suite's one test, on the stand-in."""
    pytest.importorskip("robot", reason="pip install robotframework")
    command = [sys.executable, "-m", "robot", "--outputdir", str(out), "--pythonpath", str(ROOT)]
    for variable in (f"RENODEKEYWORDS:{KEYWORDS}", *variables):
        command += ["--variable", variable]
    done = subprocess.run([*command, str(suite)], capture_output=True, text=True, check=False)
    assert (out / "output.xml").exists(), done.stdout + done.stderr
    assert "[ ERROR ]" not in done.stderr, done.stderr
    (test,) = ElementTree.parse(out / "output.xml").iter("test")
    status = test.find("status")
    assert status is not None
    return status.attrib["status"], status.text or ""


def test_scripts_name_files_of_their_folder_only() -> None:
    machine = Machine(find_board("f446re"), b"elf", b"model", 0x0802_0000, 0x0800_0000)
    files = machine_files(machine)
    assert sorted(files) == ["f446re.repl", "f446re.resc", "model.bin", "program.elf"]
    script = files["f446re.resc"].decode()
    assert "sysbus LoadBinary $ORIGIN/model.bin 0x08020000\n" in script
    assert "sysbus.cpu VectorTableOffset 0x08000000\n" in script
    assert "showAnalyzer sysbus.usart2\n" in script


def test_the_command_line_is_one_word_a_path(tmp_path: Path) -> None:
    words = shlex.split(command_line(tmp_path / "a folder" / "f446re.resc"))
    assert words[:3] == ["renode", "--console", "-e"]
    assert words[3] == f"include @{tmp_path}/a\\ folder/f446re.resc"


@pytest.mark.toolchain
def test_a_suite_for_the_users_model(firmware_tools: None, tmp_path: Path) -> None:
    """Written by an in-process run; passes in Renode, and fails where something differs."""
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    folder = tmp_path / "a folder"
    assert run(["emulate", str(model), "--board", "f746zg", "--robot", str(folder)]) == 0
    check_classes(read_platform(folder / "f746zg.repl"))
    suite = folder / "f746zg.robot"
    assert robot(suite, tmp_path) == ("PASS", "")
    status, message = robot(suite, tmp_path, "MAX_INSTRUCTIONS:1000")
    assert status == "FAIL"
    assert "<= 1000' should be true" in message
    assert robot(suite, tmp_path, "ARENA_BYTES:1", "TIMEOUT:1")[0] == "FAIL"
    text = suite.read_text()
    crc = text.partition("crc=")[2][:8]
    suite.write_text(text.replace(crc, "00000000").replace("60", "1"))
    assert robot(suite, tmp_path)[0] == "FAIL"


def test_suites_hold_any_number_of_outputs() -> None:
    suite = robot_suite(find_board("f746zg"), Expected(1000, [b"1", b"22"], 12345))
    assert suite.count("output run=0") == 2
    assert "index=1 .* crc=" in suite
    assert "${MAX_INSTRUCTIONS}    12468\n" in suite
    assert "${TIMEOUT}             60\n" in suite


def test_suites_wait_for_long_inferences() -> None:
    suite = robot_suite(find_board("mps3-an547"), Expected(1000, [], 6_400_000_000))
    assert "${TIMEOUT}             460\n" in suite  # 200 s at 32 MHz, twice


@pytest.mark.toolchain
def test_the_printed_line_opens_the_same_machine(
    firmware_tools: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    assert run(["emulate", str(model), "--backend", "renode"]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("by hand"))
    words = shlex.split(line)
    assert words[2] == "renode"
    monitor = Monitor()
    monitor.execute(words[-1])
    monitor.execute('emulation RunFor "0.1"')
    assert monitor.machine is not None
    assert b"end status=ok" in monitor.machine.uart


@pytest.mark.toolchain
def test_several_models_take_one_renode_a_worker(
    firmware_tools: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    for number in range(3):
        (tmp_path / f"{number}.tflite").write_bytes(small_model())
    models = [str(path) for path in sorted(tmp_path.glob("*.tflite"))]
    assert run(["emulate", *models, "--backend", "renode", "--board", "f446re"]) == 0
    assert "3 of 3 runs are equal" in capsys.readouterr().out


def test_options_that_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(ds_cnn().build())
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert run(["emulate", str(model), "--monitor"]) == 2
    assert "--monitor takes --backend renode" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["emulate", str(model), "--monitor", "--backend", "renode"]) == 1
    assert "--monitor takes the command renode" in capsys.readouterr().err
    two = [str(model), str(model), "--robot", str(tmp_path / "out")]
    assert run(["emulate", *two]) == 2
    assert "--robot takes one model on one board" in capsys.readouterr().err


@pytest.mark.toolchain
def test_a_run_that_takes_too_long_fails(
    firmware_tools: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(ds_cnn().build())
    assert run(["emulate", str(model), "--timeout", "0.000001"]) == 1
    assert "host time limit" in capsys.readouterr().out
