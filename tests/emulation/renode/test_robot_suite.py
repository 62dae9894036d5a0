"""The robot suite and the scripts that it includes: their syntax, and a run on the stand-in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.boards.board import shipped_boards
from predictor.emulation.platform.board_platform import platforms_folder
from predictor.firmware.build import build, write_firmware
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.target import firmware_target
from predictor.model.example_models import ds_cnn
from tests.boards import PORTED_NAMES

BOARDS = [board.name for board in shipped_boards()]
KEYWORDS = Path(__file__).parent / "keywords.robot"
ROOT = Path(__file__).parents[3]
Suite = Callable[..., dict[str, tuple[str, str]]]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Runs the suite; returns (status, message) of each test."""
    pytest.importorskip("robot", reason="pip install robotframework")

    def run(*options: str, **variables: object) -> dict[str, tuple[str, str]]:
        variables["RENODEKEYWORDS"] = KEYWORDS
        command = [sys.executable, "-m", "robot", "--outputdir", str(tmp_path), *options]
        command += ["--pythonpath", str(ROOT)]
        for name, value in variables.items():
            command += ["--variable", f"{name}:{value}"]
        robot = platforms_folder() / "boards.robot"
        done = subprocess.run([*command, str(robot)], capture_output=True, text=True, check=False)
        assert (tmp_path / "output.xml").exists(), done.stdout + done.stderr
        assert "[ ERROR ]" not in done.stderr, done.stderr
        tests = ElementTree.parse(tmp_path / "output.xml").iter("test")
        return {
            test.attrib["name"].removeprefix("Runs On ").lower(): (
                test.find("status").attrib["status"],  # type: ignore[union-attr]
                test.find("status").text or "",  # type: ignore[union-attr]
            )
            for test in tests
        }

    return run


def test_syntax(suite: Suite) -> None:
    """All keywords are known and take these arguments."""
    results = suite("--dryrun", ELF_F446RE="x")
    assert {status for status, _ in results.values()} == {"PASS"}


def test_boards_without_elf_are_skipped(suite: Suite) -> None:
    results = suite()
    assert sorted(results) == sorted(BOARDS)
    assert {status for status, _ in results.values()} == {"SKIP"}


@pytest.mark.toolchain
def test_firmware_with_its_model(suite: Suite, firmware_tools: None, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    files = write_firmware(ds_cnn().build(), firmware_target("f446re"), folder)
    results = suite(ELF_F446RE=files.elf)
    statuses = {name: status for name, (status, _) in results.items()}
    assert statuses == {board: "PASS" if board == "f446re" else "SKIP" for board in BOARDS}


@pytest.mark.toolchain
@pytest.mark.parametrize("board", PORTED_NAMES)
def test_one_program_and_a_model_beside(
    board: str, suite: Suite, firmware_tools: None, tmp_path: Path
) -> None:
    model = tmp_path / "ds cnn.model"
    content = model_blobs(ds_cnn().build())
    model.write_bytes(content)
    elf = {f"ELF_{board.upper()}": build(firmware_target(board)).elf}
    assert suite(MODEL=model, **elf)[board][0] == "PASS"
    model.write_bytes(content[:1000])
    status, message = suite(MODEL=model, **elf)[board]
    assert status == "FAIL"
    assert "end status=failed" in message


@pytest.mark.toolchain
def test_an_access_outside_memory_fails(suite: Suite, build_image: Callable[..., Path]) -> None:
    text = (
        '#include "start.h"\n'
        "int main(void) {\n"
        '  uart_text("@1 0 hello program=x board=f446re x\\n@1 1 end status=ok x\\n");\n'
        "  *(volatile int*)0x20020000 = 1;\n}\n"
    )
    status, message = suite(ELF_F446RE=build_image(text))["f446re"]
    assert (status, message) == ("FAIL", "1 != 0")
