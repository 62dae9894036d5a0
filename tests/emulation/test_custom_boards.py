"""Boards that users describe, emulated: any UART or none, on both emulators."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.boards.board import Board, find_board
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.proof.model_run import ModelRun, RunOptions, run_model
from tests.emulation.renode.test_driver import put_on_path
from tests.emulation.renode.test_models import small_model

pytestmark = [pytest.mark.toolchain, pytest.mark.usefixtures("firmware_tools")]
BOARD = """
name = "mine"
core = {{ name = "cortex-m4", clock_hz = 64_000_000 }}
regions = [
    {{ name = "rom", kind = "flash", base = 0x0, bytes = 524_288 }},
    {{ name = "ram0", kind = "sram", base = 0x2000_0000, bytes = 65_536 }},
    {{ name = "ram1", kind = "sram", base = 0x2001_0000, bytes = 8_192 }},
]
{uart}
"""
UARTS = {
    "none": "",
    "a table without a generation": '[uart]\nname = "uarte0"\nbase = 0x4000_2000\nirq = 2\n',
}


def run(board: Board, backend: str) -> ModelRun:
    firmware = firmware_target(board).linking_all(small_model())
    how = RunOptions(backend=backend, timeout_s=300)
    arena, image = firmware.prediction.arena, build(firmware.target)
    return run_model(firmware.content, arena, image, board, options=how)


@pytest.mark.parametrize("uart", UARTS)
def test_a_board_is_emulated_whatever_its_uart(
    uart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BOARD.format(uart=UARTS[uart]))
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    unicorn, renode = (run(find_board(path), backend) for backend in ("unicorn", "renode"))
    assert unicorn.failure is None
    assert unicorn.is_arena_as_predicted
    assert unicorn.operators
    assert (renode.failure, renode.outputs) == (None, unicorn.outputs)
    assert (renode.used_bytes, renode.stack_used_bytes) == (
        unicorn.used_bytes,
        unicorn.stack_used_bytes,
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["pico", "lpc1768", "l552ze"])
def test_boards_of_other_cores(name: str) -> None:
    """Cortex-M0+, M3 and M33: start-up code, arena and outputs."""
    result = run(find_board(name), "unicorn")
    assert result.failure is None
    assert result.passed


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kernels", ["reference", "mn"])
@pytest.mark.parametrize("name", ["pico", "due", "l552ze", "alif-e7"])
def test_code_of_other_cores(name: str, kernels: str) -> None:
    """No core but two has code sizes of its own: the others' follow from images for both."""
    firmware = firmware_target(name, kernels=kernels).linking_used(small_model())
    flash, linked_bytes = firmware.prediction.flash, build(firmware.target).flash_bytes
    assert flash.measured_on != firmware.target.board.core.name
    assert linked_bytes == pytest.approx(flash.code_bytes, rel=flash.code_error)
