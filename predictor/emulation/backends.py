"""Which emulator runs a board, and the board as that emulator has it."""

from __future__ import annotations

from predictor.boards.board import Board
from predictor.emulation.machine import Machine
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.qemu.board import qemu_board, qemu_port
from predictor.errors import UsageError

AUTO, UNICORN, QEMU, RENODE = "auto", "unicorn", "qemu", "renode"
BACKENDS = (AUTO, UNICORN, QEMU, RENODE)


def backend_of(name: str, board: Board) -> str:
    """The emulator that a name stands for: ``auto`` is the one in this process, or QEMU for cores
    that only it has.

    Raises:
        UsageError: unknown name.
    """
    if name not in BACKENDS:
        raise UsageError(f"unknown backend {name!r}; known: {', '.join(BACKENDS)}")
    if name != AUTO:
        return name
    is_for_qemu = not board.core.model.unicorn_model and qemu_port(board) is not None
    return QEMU if is_for_qemu else UNICORN


def emulated_board(backend: str, board: Board) -> Board:
    """The board for which firmware is built that runs in an emulator.

    Raises:
        UsageError: unknown backend. EmulationError: it has no machine for the board's core.
    """
    return qemu_board(board) if backend_of(backend, board) == QEMU else board


def make_machine(backend: str, board: Board, profile: bool = False) -> tuple[str, Machine]:
    """(emulator's name, machine) for a board that :func:`emulated_board` made.

    Args:
        profile: keep instructions per function; in process only.

    Raises:
        UsageError: unknown backend, or one that cannot profile.
        MissingDependencyError: it is not installed.
    """
    name = backend_of(backend, board)
    if profile and name != UNICORN:
        raise UsageError(f"instructions per function take the backend {UNICORN}, not {name}")
    if name == RENODE:
        from predictor.emulation.renode.machine import RenodeMachine

        return name, RenodeMachine(board_platform(board))
    if name == QEMU:
        from predictor.emulation.qemu.machine import QemuMachine

        return name, QemuMachine(board)
    from predictor.emulation.unicorn.machine import UnicornMachine

    return name, UnicornMachine(board_platform(board), profile)
