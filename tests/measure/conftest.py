"""A physical board's stand-in: a fake pyOCD that flashes an emulated board, and a pseudo-terminal
on which that board talks."""

from __future__ import annotations

import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from predictor.boards.board import Board, find_board
from tests.measure.emulated_board import EmulatedRun, run_watched

HELLO_NOISE = b"\x00\xff@1 7 garbage\r\n"


@dataclass
class Bench:
    """A board on a bench. ``corrupt`` changes what it sends; ``on_run`` sees each run."""

    board: Board
    port: str
    write_end: int
    folder: Path
    corrupt: Callable[[bytes], bytes] = lambda sent: sent
    on_run: Callable[[EmulatedRun], None] = lambda run: None
    program: bytes = b""
    blob: tuple[bytes, int] | None = None
    probes: list[str] = field(default_factory=lambda: ["066AFF3030"])
    threads: list[threading.Thread] = field(default_factory=list)

    def add_file(self, path: Path, base_address: int | None) -> None:
        if base_address is None:
            self.program = path.read_bytes()
        else:
            self.blob = (path.read_bytes(), base_address)

    def reset(self) -> None:
        elf = self.folder / "flashed.elf"
        elf.write_bytes(self.program)
        run = run_watched(self.board, elf, self.blob)
        self.on_run(run)
        sent = HELLO_NOISE + self.corrupt(run.result.uart)
        thread = threading.Thread(target=self._send, args=(sent,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self.write_end, content[:512]) :]


def _fake_pyocd(bench: Bench) -> dict[str, types.ModuleType]:
    """Modules with the part of pyOCD's API that is used; test_probe holds it against pyOCD."""

    class Error(RuntimeError):
        pass

    class TargetSupportError(Error):
        pass

    class FakeProbe:
        def __init__(self, unique_id: str) -> None:
            self.unique_id = unique_id

    class ConnectHelper:
        @staticmethod
        def get_all_connected_probes(
            blocking: bool = True, unique_id: str | None = None
        ) -> list[FakeProbe]:
            assert not blocking
            return [FakeProbe(name) for name in bench.probes if (unique_id or "") in name]

    class Session:
        def __init__(self, probe: FakeProbe, target_override: str) -> None:
            self.target = bench
            self.target_override = target_override
            self.is_open = False

        def open(self) -> None:
            if self.target_override == "stm32unknown":
                raise TargetSupportError("Target type stm32unknown not recognized")
            self.is_open = True

        def close(self) -> None:
            self.is_open = False

    class FileProgrammer:
        def __init__(self, session: Session, progress: Callable[[float], None]) -> None:
            assert session.is_open
            self.files: list[tuple[Path, int | None]] = []

        def add_file(self, file_or_path: str, **kwargs: int) -> None:
            self.files.append((Path(file_or_path), kwargs.get("base_address")))

        def commit(self) -> None:
            for path, base_address in self.files:
                bench.add_file(path, base_address)

    contents: dict[str, dict[str, object]] = {
        "pyocd": {},
        "pyocd.core": {},
        "pyocd.core.exceptions": {"Error": Error, "TargetSupportError": TargetSupportError},
        "pyocd.core.helpers": {"ConnectHelper": ConnectHelper},
        "pyocd.core.session": {"Session": Session},
        "pyocd.flash": {},
        "pyocd.flash.file_programmer": {"FileProgrammer": FileProgrammer},
    }
    modules = {}
    for name, members in contents.items():
        modules[name] = types.ModuleType(name)
        vars(modules[name]).update(members)
    return modules


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A NUCLEO-F446RE whose probe is the only one and whose UART is a pseudo-terminal."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are a POSIX thing")
    pytest.importorskip("serial", reason="pip install -e '.[boards]'")
    master, slave = pty.openpty()
    import tty

    tty.setraw(slave)
    made = Bench(find_board("f446re"), os.ttyname(slave), master, tmp_path)
    for name, module in _fake_pyocd(made).items():
        monkeypatch.setitem(sys.modules, name, module)
    yield made
    for thread in made.threads:
        thread.join(timeout=5)
    os.close(master)
    os.close(slave)
