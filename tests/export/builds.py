"""Exported projects, compiled as their user would and run in emulation."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from predictor.boards.board import find_board
from predictor.emulation.machine import StopReason
from predictor.emulation.platform.board_platform import board_platform
from predictor.export.ecosystem import find_ecosystem
from predictor.export.folder import write_folder
from predictor.export.project import export_project
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.tflm_library import Tflm, TflmLibrary
from predictor.firmware.toolchain import find_toolchain
from predictor.prediction import Prediction, predict

TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM")
_MOST_INSTRUCTIONS = 2_000_000_000


@dataclass(frozen=True)
class Tested:
    """What an exported program did: the text that it wrote, and what its main returned."""

    text: str
    status: int

    @property
    def last_line(self) -> str:
        return self.text.splitlines()[-1]


@cache
def tflms() -> tuple[Tflm, ...]:
    """The packaged TFLM, and the user's where MCU_PREDICTOR_TFLM names one."""
    from predictor.firmware.user_tflm import read_user_tflm

    users = () if TFLM_DIR is None else (read_user_tflm(Path(TFLM_DIR)),)
    return (PackagedTflm(), *users)


def prediction_for(content: bytes, board: str, tflm: Tflm, kernels: str | None) -> Prediction:
    return predict(
        content, board, tflm=tflm.revision, kernels=kernels, library_kernels=tflm.kernels
    )


def library_of(prediction: Prediction, tflm: Tflm) -> TflmLibrary:
    kernels = prediction.revision.kernel_set.library.name
    return tflm.library(find_toolchain(), prediction.board, kernels, lambda text: None)


def compile_project(folder: Path, name: str, library: TflmLibrary, *options: str) -> Path:
    """Builds a project by the commands that it names, and returns its program."""
    build = folder / "build"
    configure = ["cmake", "-G", find_toolchain().generator, "-S", str(folder), "-B", str(build)]
    configure += [f"-DCMAKE_TOOLCHAIN_FILE={folder / 'toolchain.cmake'}", *options]
    configure += [f"-DTFLM_DIR={library.root}", f"-DTFLM_LIBRARY={library.archive}"]
    for command in (configure, ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert "warning: " not in done.stdout, done.stdout
    return build / f"{name}_example.elf"


def run_program(elf: Path, board: str) -> Tested:
    """Runs a program without an operating system until its end."""
    from predictor.emulation.unicorn.machine import UnicornMachine

    with UnicornMachine(board_platform(find_board(board))) as machine:
        machine.load_elf(elf)
        result = machine.run(until_symbol="program_end", max_instructions=_MOST_INSTRUCTIONS)
        result.raise_fault()
        assert result.stop is StopReason.SYMBOL, result.stop
        text = machine.read_memory(machine.symbol("log_text"), 1024).split(b"\0")[0]
        status = int.from_bytes(machine.read_memory(machine.symbol("exit_status"), 4), "little")
        return Tested(text.decode(), status)


def run_exported(
    content: bytes, board: str, tflm: Tflm, folder: Path, kernels: str | None = None
) -> tuple[Tested, Prediction]:
    """Exports a model, builds and runs it."""
    prediction = prediction_for(content, board, tflm, kernels)
    project = export_project(prediction, find_ecosystem("bare"), "exported")
    write_folder(folder, project.files)
    elf = compile_project(folder, project.name, library_of(prediction, tflm))
    return run_program(elf, board), prediction
