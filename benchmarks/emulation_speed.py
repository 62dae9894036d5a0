"""Speed of the emulator: emulated instructions per second of processor time, on one core.

    python -m benchmarks.emulation_speed model.tflite [--board f746zg] [--rounds 3]

Runs the firmware with the model as ``predict emulate`` does, in five ways in turn: Unicorn without
any hook on code, with instruction counting, with cycles beside it, with a profile, and with
counting in Python. Each figure is the best of the rounds; instructions are those that the counting
run reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import click

from predictor.boards.board import find_board
from predictor.emulation.machine import RunResult
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn import block_counter
from predictor.emulation.unicorn import core as unicorn_core
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.target import firmware_target
from predictor.proof.operator_cycles import MARKER_SYMBOL


class _Uncounted(block_counter.BlockCounter):
    """A counter that installs no hook: what Unicorn does alone."""

    def _attach(self) -> bool:
        return True


@contextmanager
def _without_hook() -> Iterator[None]:
    with patch.object(unicorn_core, "BlockCounter", _Uncounted):
        yield


@contextmanager
def _counting_in_python() -> Iterator[None]:
    with patch.object(block_counter, "native_library", lambda: None):
        yield


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


WAYS: dict[str, tuple[Callable[[], object], bool, bool]] = {
    "no hook": (_without_hook, False, False),
    "counting": (_as_it_is, False, False),
    "cycles": (_as_it_is, False, True),
    "profile": (_as_it_is, True, False),
    "counting in Python": (_counting_in_python, False, False),
}
"""What is patched, whether it profiles, whether it counts cycles."""


def _run(
    image: FirmwareImage, blob: bytes, profile: bool = False, cycles: bool = False
) -> tuple[RunResult, float]:
    """The run, and the processor seconds that it took without loading."""
    with UnicornMachine(board_platform(find_board(image.board)), profile) as machine:
        machine.load_elf(image.elf)
        machine.load_binary(blob, image.blob_address)
        if cycles:
            machine.count_cycles(MARKER_SYMBOL, [1])
        start = time.process_time()
        result = machine.run()  # up to the sleep at the end, which needs no hook to be seen
        return result, time.process_time() - start


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--board", default="f746zg", show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(model: Path, board: str, rounds: int) -> None:
    """Prints millions of instructions per second for each way of running MODEL."""
    image = build(firmware_target(board), progress=click.echo)
    blob = model_blobs(model.read_bytes(), ())
    instructions = _run(image, blob)[0].instructions
    click.echo(f"{model.name} on {board}: {instructions:,} instructions")
    best: dict[str, float] = {}
    for number in range(rounds):
        for name, (way, profile, cycles) in WAYS.items():
            if "Python" in name and number:
                continue  # slow; once is enough
            with way():  # type: ignore[attr-defined]
                cpu_s = _run(image, blob, profile, cycles)[1]
            best[name] = min(best.get(name, cpu_s), cpu_s)
    for name, cpu_s in best.items():
        click.echo(f"{name:20} {instructions / cpu_s / 1e6:8.1f} MIPS  {cpu_s:8.3f} s")


if __name__ == "__main__":
    main()
