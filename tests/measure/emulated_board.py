"""An emulated board whose marker pin is watched: it stands for a physical one in these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from predictor.boards.board import Board
from predictor.emulation.machine import RunResult
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn.devices import Gpio
from predictor.emulation.unicorn.machine import UnicornMachine


@dataclass(frozen=True)
class EmulatedRun:
    """A run, and where the marker pin rose and fell: (cycles since reset, level)."""

    result: RunResult
    edges: tuple[tuple[int, bool], ...]

    @property
    def pulses(self) -> list[tuple[int, int]]:
        """(start, end) in cycles of each time the pin was high."""
        rises = [cycles for cycles, is_high in self.edges if is_high]
        falls = [cycles for cycles, is_high in self.edges if not is_high]
        return list(zip(rises, falls, strict=True))


def run_watched(board: Board, elf: Path, blob: tuple[bytes, int] | None = None) -> EmulatedRun:
    """Runs a program to its end, with a blob (content, address) in flash if one is given."""
    with _watched_marker(board) as edges, UnicornMachine(board_platform(board)) as machine:
        machine.load_elf(elf)
        if blob is not None:
            machine.load_binary(*blob)
        result = machine.run(until_symbol="runner_done", timeout_s=240)
    return EmulatedRun(result, tuple(edges))


@contextmanager
def _watched_marker(board: Board) -> Iterator[list[tuple[int, bool]]]:
    assert board.marker is not None
    port, bit = f"gpioPort{board.marker.name[1]}", 1 << board.marker.number
    edges: list[tuple[int, bool]] = []
    original = Gpio.write_word

    def write_word(self: Gpio, offset: int, value: int) -> None:
        before = self.read_word(self.ODR) & bit
        original(self, offset, value)
        after = self.read_word(self.ODR) & bit
        if self.name == port and before != after:
            edges.append((self.context.cycles(), bool(after)))

    Gpio.write_word = write_word  # type: ignore[method-assign]
    try:
        yield edges
    finally:
        Gpio.write_word = original  # type: ignore[method-assign]
