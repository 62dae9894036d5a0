"""Measures the models on an emulated core: ``python -m truth.measure --tflm-dir DIR``.

Runs each model in the project's firmware, linked with the TFLM library that the user has built
(``firmware/README.md`` says how), and writes ``truth/figures``. What is measured does not depend
on a prediction: the size to begin the search for the smallest arena with only shortens it.
"""

from __future__ import annotations

import argparse
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType

import numpy as np

from predictor.boards.board import Board
from predictor.emulation.machine import StopReason
from predictor.emulation.platform.roomy_board import with_more_memory
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.protocol import UnsupportedOperator
from predictor.firmware.runner_report import FirmwareReport, describe_failure, read_report
from predictor.firmware.target import firmware_target
from predictor.firmware.user_tflm import read_user_tflm
from predictor.memory.revision import DEFAULT_REVISION
from predictor.model.builder.tensors import NUMPY_TYPES
from predictor.model.tflite_reader import read_graph
from predictor.proof.model_run import END_SYMBOL
from tools.boards import BOARDS
from truth import figures, models
from truth.allocation_trace import traced_allocations
from truth.figures import Figures, Record, persistent_text

STEP_BYTES = 16
_ALLOCATED = b" arena arena_bytes="
_PLENTY_BYTES = 512 << 10
_MAX_INSTRUCTIONS = 200_000_000


class Bench:
    """An emulated board with firmware of all operators; a context manager.

    Args:
        board: whose core and platform to take; it gets memory for all operators.
        tflm: folder of TFLM with one library for this core.

    Raises:
        UsageError: the folder holds no such library.
    """

    def __init__(self, board: Board, tflm: Path) -> None:
        board, platform = with_more_memory(board)
        self._core = board.core.name
        self.image: FirmwareImage = build(firmware_target(board, read_user_tflm(tflm)))
        self._machine = UnicornMachine(platform)
        self._machine.load_elf(self.image.elf)

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._machine.close()

    @property
    def target(self) -> str:
        """Kernel set and core, as in :class:`truth.figures.Record`."""
        return f"{self.image.kernels}/{self._core}"

    def figures(self, content: bytes) -> Figures:
        """Allocates and runs a model, and searches for its smallest arena."""
        with traced_allocations(self._machine) as trace:
            report = self._run(content, _PLENTY_BYTES, allocates_only=True)
        if report.arena is None:
            return Figures(refused=_reason(report))
        used = report.arena
        required = self._required_bytes(content, used.used_bytes)
        run = self._run(content, required).runs.get(0)
        return Figures(
            used_bytes=used.used_bytes,
            head_bytes=used.head_bytes,
            tail_bytes=used.tail_bytes,
            required_bytes=required,
            persistent=persistent_text(trace.persistent),
            plan=trace.plan,
            runs=run is not None and run.invoke is not None,
        )

    def _required_bytes(self, content: bytes, used_bytes: int) -> int:
        """Bisects between an arena that is too small and one that is not."""
        enough = -(-used_bytes // STEP_BYTES) * STEP_BYTES
        too_small, step = 0, STEP_BYTES
        while not self._allocates(content, enough):
            too_small, enough, step = enough, enough + step, 2 * step
        if too_small == 0 and not self._allocates(content, enough - STEP_BYTES):
            return enough
        while enough - too_small > STEP_BYTES:
            middle = (too_small + enough) // 2 // STEP_BYTES * STEP_BYTES
            if self._allocates(content, middle):
                enough = middle
            else:
                too_small = middle
        return enough

    def _allocates(self, content: bytes, arena_bytes: int) -> bool:
        return self._run(content, arena_bytes, allocates_only=True).arena is not None

    def _run(
        self, content: bytes, arena_bytes: int, *, allocates_only: bool = False
    ) -> FirmwareReport:
        self._machine.reset()
        blob = model_blobs(content, [] if allocates_only else [_ones(content)], arena_bytes)
        self._machine.load_binary(blob, self.image.blob_address)
        result = self._machine.run(
            until_symbol=END_SYMBOL,
            until_uart=_ALLOCATED if allocates_only else None,
            max_instructions=_MAX_INSTRUCTIONS,
        )
        if result.stop is StopReason.UART_TEXT:
            result = self._machine.run(until_uart=b"\n", max_instructions=_MAX_INSTRUCTIONS)
        return read_report(result.uart)[0]


def _ones(content: bytes) -> bytes:
    """Input tensors of which each element is 1: a divisor, a condition, an index in range."""
    main = read_graph(content).main
    tensors = [main.tensors[index] for index in main.inputs]
    return b"".join(np.ones(t.shape, NUMPY_TYPES[t.type]).tobytes() for t in tensors)


def _reason(report: FirmwareReport) -> str:
    failure = report.failure
    if isinstance(failure, UnsupportedOperator):
        return f"no operator {failure.name}"
    told = [line for line in report.logs if line.strip()]
    if told:
        return told[0]
    return "the firmware stopped" if failure is None else describe_failure(failure)


def measure(tflm: Path, board: Board, revision: str, only: str = "*") -> None:
    """Measures the models whose names match a pattern, and writes them into the revision's file.

    Raises:
        UsageError: the folder holds no library for the board's core.
    """
    path, names = figures.path_of(revision), models.names()
    source, records = figures.read(path)
    known = {name: record for name, record in records.items() if name in names}
    with Bench(board, tflm) as bench:
        for name in names:
            if not fnmatch(name, only):
                continue
            content = models.build(name)
            digest, before = models.digest(content), known.get(name)
            found = {} if before is None or before.digest != digest else dict(before.figures)
            found[bench.target] = bench.figures(content)
            known[name] = Record(digest, found)
            print(bench.target, name, found[bench.target], flush=True)
    figures.write(path, source, known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tflm-dir", type=Path, required=True, help="folder of TFLM with a library"
    )
    parser.add_argument("--core", choices=BOARDS, default="cortex-m4")
    parser.add_argument("--revision", default=DEFAULT_REVISION)
    parser.add_argument("--only", default="*", help="pattern of the models' names")
    arguments = parser.parse_args()
    measure(arguments.tflm_dir, BOARDS[arguments.core], arguments.revision, arguments.only)


if __name__ == "__main__":
    main()
