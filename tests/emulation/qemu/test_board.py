"""Boards in QEMU's machine: which ones, and where their memories lie."""

from __future__ import annotations

from itertools import pairwise

import pytest

from predictor.boards.board import Board, find_board, shipped_boards
from predictor.emulation.backends import AUTO, QEMU, UNICORN, backend_of, emulated_board
from predictor.emulation.qemu.board import qemu_board, qemu_platform, qemu_port
from predictor.emulation.qemu.machine import QemuMachine
from predictor.errors import EmulationError, UsageError
from predictor.firmware.ports import port_of
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

IN_QEMU = tuple(board for board in shipped_boards() if qemu_port(board))


def test_cores_with_a_vector_extension_take_qemu() -> None:
    assert {board.core.name for board in IN_QEMU} == {"cortex-m55", "cortex-m85"}
    for board in shipped_boards():
        assert backend_of(AUTO, board) == (QEMU if board in IN_QEMU else UNICORN)
    with pytest.raises(UsageError, match="unknown backend 'gem5'; known: auto, unicorn, qemu"):
        backend_of("gem5", IN_QEMU[0])


def test_a_board_of_qemus_stays_where_it_is() -> None:
    board = find_board("mps3-an547")
    found = emulated_board(AUTO, board)
    assert found.regions == board.regions
    assert port_of(found).name == "mps3_an547"


@pytest.mark.parametrize("board", IN_QEMU, ids=lambda board: board.name)
def test_memories_keep_names_sizes_and_neighbours(board: Board) -> None:
    found = qemu_board(board)
    for kind in ("sram", "flash", "itcm"):
        assert {(s.name, s.size_bytes) for s in found.spans(kind)} == {
            (s.name, s.size_bytes) for s in board.spans(kind)
        }
    memories = qemu_platform(found).memories
    assert len(memories) == len(board.regions)
    for low, high in pairwise(memories):
        assert low.end <= high.base
    assert all(memory.end <= 1 << 32 for memory in memories)
    if found.regions != board.regions:
        # Below the program's RAM, into which its stack grows, lies nothing.
        assert found.spans("sram")[0].base == memories[0].base == 0x6000_0000


def test_what_is_predicted_does_not_depend_on_addresses() -> None:
    board, content = find_board("alif-e7"), ds_cnn().build()
    here, there = predict(content, board), predict(content, qemu_board(board))
    assert here.arena.required_bytes == there.arena.required_bytes
    assert here.arena.buffers == there.arena.buffers
    assert here.flash == there.flash
    assert here.fits == there.fits


def test_other_cores_and_other_firmware_are_refused() -> None:
    with pytest.raises(EmulationError, match="QEMU has no machine with a cortex-m4"):
        qemu_board(find_board("f446re"))
    with pytest.raises(EmulationError, match="built for another emulator"):
        QemuMachine(find_board("alif-e7"))
