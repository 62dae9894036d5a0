"""Debug probes: writing a board's flash and resetting it, through pyOCD."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from predictor.boards.board import Board
from predictor.errors import BoardError, BoardRunError, MissingDependencyError
from predictor.install import install_command

INSTALL = install_command("boards")


class Probe(Protocol):
    """What a measurement asks of a probe. Raises BoardRunError where the probe fails."""

    def program(self, elf: Path, blob: Path, blob_address: int) -> None:
        """Writes a program, and a binary behind it, into flash."""

    def reset(self) -> None:
        """Resets the board and lets it run."""


class PyOcdProbe:
    """A probe that pyOCD knows, such as the ST-LINK of a Nucleo board; a context manager.

    Args:
        board: its table ``probe`` names pyOCD's target.
        probe_id: part of the probe's unique id; None where only one is connected.

    Raises:
        MissingDependencyError: pyOCD is not installed.
        BoardError: the board's file names no target.
        BoardRunError: no such probe, several, or no connection.
    """

    def __init__(self, board: Board, probe_id: str | None = None) -> None:
        target = board.probe_target
        if target is None:
            raise BoardError(
                f"board {board.name}: probe.target is missing; it names pyOCD's target"
            )
        self._target = target
        self._session = self._open(self._choose(probe_id))

    def __enter__(self) -> PyOcdProbe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def program(self, elf: Path, blob: Path, blob_address: int) -> None:
        from pyocd.core.exceptions import Error
        from pyocd.flash.file_programmer import FileProgrammer

        try:
            programmer = FileProgrammer(self._session, progress=lambda fraction: None)
            programmer.add_file(str(elf))
            programmer.add_file(str(blob), base_address=blob_address)
            programmer.commit()
        except (Error, OSError, ValueError) as error:
            raise BoardRunError(f"the flash could not be written: {error}") from error

    def reset(self) -> None:
        from pyocd.core.exceptions import Error

        try:
            self._session.target.reset()
        except Error as error:
            raise BoardRunError(f"the board could not be reset: {error}") from error

    @staticmethod
    def _choose(probe_id: str | None) -> Any:
        try:
            from pyocd.core.helpers import ConnectHelper
        except ImportError as error:
            raise MissingDependencyError(f"pyOCD is not installed: {INSTALL}") from error
        probes = ConnectHelper.get_all_connected_probes(blocking=False, unique_id=probe_id)
        if not probes:
            which = f" whose id holds {probe_id!r}" if probe_id else ""
            raise BoardRunError(f"no debug probe{which} is connected (`pyocd list` shows them)")
        if len(probes) > 1:
            ids = ", ".join(probe.unique_id for probe in probes)
            raise BoardRunError(f"several debug probes are connected; choose with --probe: {ids}")
        return probes[0]

    def _open(self, probe: Any) -> Any:
        from pyocd.core.exceptions import Error, TargetSupportError
        from pyocd.core.session import Session

        try:
            session = Session(probe, target_override=self._target)
            session.open()
        except TargetSupportError as error:
            raise BoardRunError(
                f"pyOCD does not know {self._target} yet: pyocd pack install {self._target}"
            ) from error
        except Error as error:
            raise BoardRunError(f"no connection to the board: {error}") from error
        return session
