"""Files of a run for Renode: what opens the same machine by hand, and a robot suite."""

from __future__ import annotations

import hashlib
from pathlib import Path

from predictor.emulation.renode.machine_files import (
    Expected,
    Machine,
    command_line,
    machine_files,
    robot_suite,
)
from predictor.errors import UsageError
from predictor.files import write_file
from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.elf_image import ElfImage
from predictor.proof.model_run import ModelRun


def kept_for_renode(run: ModelRun) -> str:
    """Keeps the machine of a run among the cached firmware; the command that opens it."""
    files = machine_files(_machine(run))
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:16]

    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    folder = cached(cache_dir() / "renode" / f"{run.board.name}-{digest}", fill)
    return command_line(folder / f"{run.board.name}.resc")


def write_suite(folder: Path, run: ModelRun) -> None:
    """Writes the machine of a run and a suite that expects what the run told.

    Raises:
        UsageError: the run failed; OutputError: a file cannot be written.
    """
    if run.failure is not None or run.used_bytes is None or run.invoke_instructions is None:
        raise UsageError(f"--robot takes a run that ends well: {run.failure}")
    expected = Expected(run.used_bytes, run.outputs, run.invoke_instructions)
    suite = robot_suite(run.board, expected)
    files = {**machine_files(_machine(run)), f"{run.board.name}.robot": suite.encode()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_file(folder / name, content)


def _machine(run: ModelRun) -> Machine:
    return Machine(
        board=run.board,
        program=run.image.elf.read_bytes(),
        model=run.blob,
        model_address=run.image.blob_address,
        vectors_address=ElfImage(run.image.elf).vectors.load_address,
    )
