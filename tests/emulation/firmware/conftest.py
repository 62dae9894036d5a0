"""Built firmware, and runs of it on emulated boards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import RunResult, StopReason
from predictor.emulation.platform.board_platform import board_platform
from predictor.errors import MissingDependencyError
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.runner_report import FirmwareReport, read_report
from predictor.firmware.target import firmware_target

BOARDS = ("f446re", "f746zg", "f767zi")
BuildRunner = Callable[..., FirmwareImage]
RunModel = Callable[..., FirmwareReport]


@cache
def _built(board: str, operators: tuple[str, ...] | None, stack_bytes: int) -> FirmwareImage:
    wanted = None if operators is None else frozenset(operators)
    return build(replace(firmware_target(board), operators=wanted), stack_bytes=stack_bytes)


@pytest.fixture(scope="session")
def build_runner() -> BuildRunner:
    """The runner of a board; skips where the toolchain is missing."""

    def built(
        board: str, operators: tuple[str, ...] | None = None, stack_bytes: int = 4096
    ) -> FirmwareImage:
        try:
            return _built(board, operators, stack_bytes)
        except MissingDependencyError as error:
            pytest.skip(str(error))

    return built


def emulate(image: FirmwareImage, blob: bytes) -> RunResult:
    """Runs an image with a blob behind its code until it is done or faults."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    from predictor.emulation.unicorn.machine import UnicornMachine

    with UnicornMachine(board_platform(find_board(image.board))) as machine:
        machine.load_elf(image.elf)
        machine.load_binary(blob, image.blob_address)
        return machine.run(until_symbol="runner_done", timeout_s=240)


def report_of(result: RunResult) -> FirmwareReport:
    """The report of a run that went to its end without noise."""
    assert result.fault is None, result.fault
    assert result.stop is StopReason.SYMBOL
    report, parser = read_report(result.uart)
    assert (parser.dropped_lines, parser.lost_messages, parser.repeated_lines) == (0, 0, 0)
    assert parser.unknown_lines == 0
    assert report.end is not None
    assert report.hello is not None
    return report


@pytest.fixture(scope="session")
def run_model(build_runner: BuildRunner) -> RunModel:
    """Runs a model under the runner of a board."""

    def run(
        board: str,
        model: bytes,
        inputs: Iterable[bytes] = (),
        *,
        arena_bytes: int = 0,
        **options: Any,
    ) -> FirmwareReport:
        blob = model_blobs(model, inputs, arena_bytes)
        return report_of(emulate(build_runner(board, **options), blob))

    return run


@pytest.fixture
def own_cache(build_runner: BuildRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone for firmware; what firmware is made of lies in the common one."""
    build_runner("f446re")
    monkeypatch.setattr("predictor.firmware.build.cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache"
