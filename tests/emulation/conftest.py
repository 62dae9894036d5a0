"""Builds tiny programs for emulated boards and runs them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn import block_counter
from predictor.emulation.unicorn.machine import UnicornMachine

IMAGES = Path(__file__).parent / "machine" / "images"
COMPILER = "arm-none-eabi-gcc"
INSTALL = "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"
ImageBuilder = Callable[..., Path]


@pytest.fixture(scope="session")
def build_image(tmp_path_factory: pytest.TempPathFactory) -> ImageBuilder:
    """Links C or assembly text with the start-up code; equal requests are built once."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is missing: {INSTALL}")
    folder = tmp_path_factory.mktemp("images")

    def build(text: str, board: str = "f446re", *options: str, suffix: str = ".c") -> Path:
        key = hashlib.sha256(repr((text, board, options, suffix)).encode()).hexdigest()[:16]
        elf = folder / f"{key}.elf"
        if elf.exists():
            return elf
        source = folder / f"case_{key}{suffix}"
        source.write_text(text)
        found = find_board(board)
        command = [COMPILER, *found.core.model.compiler_flags, "-g", "-O1"]
        if found.uart is not None and found.uart.generation == "f7":
            command.append("-DUART_F7")
        command += ["-fno-tree-loop-distribute-patterns", "-fno-delete-null-pointer-checks"]
        command += [
            "-nostartfiles",
            "-Wall",
            "-Werror",
            f"-I{IMAGES}",
            "-T",
            str(IMAGES / "image.ld"),
        ]
        command += ["-Wl,--no-warn-rwx-segments"]
        command += [str(IMAGES / "start.c"), str(source), "-o", str(elf), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return elf

    return build


MachineMaker = Callable[..., UnicornMachine]


@pytest.fixture
def make_machine(build_image: ImageBuilder) -> MachineMaker:
    """A machine with a program built from text."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")

    def make(
        text: str, board: str = "f446re", *options: str, suffix: str = ".c", profile: bool = False
    ) -> UnicornMachine:
        machine = UnicornMachine(board_platform(find_board(board)), profile)
        machine.load_elf(build_image(text, board, *options, suffix=suffix))
        return machine

    return make


@pytest.fixture(params=["native", "python"])
def either_counter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test with the hooks in C, where they were built, and with those in Python."""
    name: str = request.param
    if name == "native" and block_counter.native_library() is None:
        pytest.skip("the extension module is not built: pip install -e .")
    if name == "python":
        monkeypatch.setattr(block_counter, "native_library", lambda: None)
        monkeypatch.setattr("predictor.emulation.unicorn.access_trace.native_library", lambda: None)
    return name
