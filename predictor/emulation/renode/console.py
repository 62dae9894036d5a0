"""Renode's monitor as a conversation: one command in, its output back.

Two ways lead to a monitor: the ``renode`` command with its console on pipes, and a worker process
that has loaded the Python package pyrenode3. Either is a process of its own, in a session of its
own, that ends with :meth:`RenodeConsole.close` whatever has happened.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.util import Finalize
from pathlib import Path

from predictor.emulation.renode import python_package
from predictor.errors import EmulationError, MissingDependencyError
from predictor.files import scratch_folder
from predictor.processes import TiedProcess

START_TIMEOUT_S = 120.0
"""Renode takes some seconds to start; more on a busy machine."""
COMMAND_TIMEOUT_S = 60.0
_QUIT_TIMEOUT_S = 5.0
_MARKER = 0x5EED5EED
"""The emulation's seed: asking for it after a command marks the end of that command's output."""
_SET_MARKER = f"emulation SetSeed {_MARKER}; numbersMode Hexadecimal"
"""Whatever way to show numbers the user has chosen, the marker is looked for in this one."""
_SETTINGS = "[general]\nhistory-path = {folder}/history\n"
"""Renode's configuration, in the place of the user's own. Its shell writes all commands that were
ever given into the history anew at each command, so that a user's would grow and slow it down."""
_LAST_LINES = 5
"""So many lines of what a Renode said last stand in the message that it ended."""
_PROMPTS = re.compile(r"^(?:\([^()]*\) )*")
_WRAP = " \r"
"""What the monitor sends where the echo of a command reaches the terminal's width."""
_COMPLAINTS = (
    "There was an error executing command",
    "No such command or device",
    "No such variable",
    "Could not",
    "Errors during compilation",
    "Bad parameters",
)
INSTALL_HINT = (
    "Renode is not installed: get it from https://renode.io, with its command `renode` on the "
    "path, or install the Python package pyrenode3 and let PYRENODE_BIN name Renode's portable "
    "program; `--backend unicorn` needs neither"
)


class RenodeConsole(ABC):
    """A running Renode.

    Raises (all methods): EmulationError where Renode complains, ends or does not answer in time.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self._process = TiedProcess(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        assert self._process.stdout is not None
        # Carriage returns mean something here: they tell a wrapped line from two.
        self._output = io.TextIOWrapper(
            self._process.stdout, "utf-8", errors="replace", newline="\n"
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # closed while a child of Renode's held the pipe
            for line in self._output:
                self._lines.put(line)
        self._lines.put(None)

    @abstractmethod
    def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Runs a monitor command and returns what it prints."""

    @abstractmethod
    def clear(self) -> None:
        """Takes away all machines, so that the same process serves the next one."""

    def number(self, command: str) -> int:
        """Runs a command that prints one number."""
        found = re.findall(r"\b(0x[0-9A-Fa-f]+|\d+)\b", self.execute(command))
        if not found:
            raise EmulationError(f"Renode gives no number for `{command}`")
        return int(found[-1], 0)

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise EmulationError(f"Renode has ended: {self._last_words()}") from error

    def _next_line(self, command: str, deadline: float) -> str:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise EmulationError(f"Renode does not answer to `{command}`") from None
        if line is None:
            raise EmulationError(f"Renode ended at `{command}`: {self._last_words()}")
        self._hear(line)
        return line

    def _hear(self, line: str) -> None:
        if line.strip():
            self._last_lines.append(line.strip())

    def _last_words(self) -> str:
        """What it said last, whether an answer was expected or not."""
        self._reader.join(_QUIT_TIMEOUT_S)
        while not self._lines.empty():
            self._hear(self._lines.get() or "")
        return " ".join(self._last_lines) or "without a word"

    def close(self) -> None:
        """Ends the process, by force if it does not go."""
        process = self._process
        if process.poll() is None:
            try:
                self._send("quit")
                process.wait(_QUIT_TIMEOUT_S)
            except (EmulationError, subprocess.TimeoutExpired):
                self.kill()
        self._reader.join(_QUIT_TIMEOUT_S)
        with contextlib.suppress(OSError):  # what was not sent any more
            if process.stdin is not None:
                process.stdin.close()
        self._output.close()

    @contextlib.contextmanager
    def _killed_on_error(self) -> Iterator[None]:
        """For the start, before the caller has anything to close."""
        try:
            yield
        except BaseException:
            self.kill()
            self.close()
            raise

    def kill(self) -> None:
        """Ends the process and what it has started, at once."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class CommandConsole(RenodeConsole):
    """The ``renode`` command, its monitor on pipes."""

    def __init__(self, program: str) -> None:
        # Renode writes defaults into its configuration.
        self._scratch = contextlib.ExitStack()
        folder = self._scratch.enter_context(scratch_folder())
        settings = folder / "config"
        settings.write_text(_SETTINGS.format(folder=folder))
        # With --console the monitor answers on the pipes; -P -1 keeps it from opening a port.
        options = ["--disable-gui", "--console", "--plain", "--hide-log", "-P", "-1"]
        super().__init__([program, *options, "--config", str(settings)])
        with self._killed_on_error():
            self._send(_SET_MARKER)
            self._answer(START_TIMEOUT_S, "start")

    def close(self) -> None:
        super().close()
        self._scratch.close()

    def clear(self) -> None:
        self._send("Clear")
        self._send(_SET_MARKER)
        self._answer(COMMAND_TIMEOUT_S, "Clear")

    def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        if not command.isascii():
            # It takes characters from pipes for bytes, and swallows what stands behind them.
            raise EmulationError(
                f"Renode's console reads nothing but ASCII, not `{command}`; let TMPDIR name a "
                "folder that can be written so"
            )
        self._send(command)
        output = self._answer(timeout_s, command)
        if any(complaint in output for complaint in _COMPLAINTS):
            raise EmulationError(f"Renode refuses `{command}`: {output.strip()}")
        return output

    def _answer(self, timeout_s: float, command: str) -> str:
        """Lines up to the marker, without prompts and without the echo of commands."""
        self._send("emulation GetSeed")
        deadline = time.monotonic() + timeout_s
        output: list[str] = []
        while True:
            line = self._next_line(command, deadline).strip("\r\n").replace(_WRAP, "")
            line = _PROMPTS.sub("", line)
            if re.fullmatch(r"0x[0-9A-Fa-f]+", line.strip()) and int(line, 16) == _MARKER:
                return "\n".join(output)
            if line.strip() not in (command, "emulation GetSeed", ""):
                output.append(line)


class PythonConsole(RenodeConsole):
    """pyrenode3 in a worker process; one process, because it cannot be loaded twice."""

    def __init__(self, environment: dict[str, str]) -> None:
        roots = [str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]
        super().__init__(
            [sys.executable, "-m", "predictor.emulation.renode.worker"],
            {"PYTHONPATH": os.pathsep.join(filter(None, roots)), **environment},
        )
        with self._killed_on_error():
            self.execute("numbersMode Hexadecimal", START_TIMEOUT_S)

    def clear(self) -> None:
        self.execute("Clear")

    def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        self._send(json.dumps(command))
        deadline = time.monotonic() + timeout_s
        while True:
            line = self._next_line(command, deadline)
            if line.startswith('{"output"'):
                break
        answer = json.loads(line)
        if answer["error"].strip():
            raise EmulationError(f"Renode refuses `{command}`: {answer['error'].strip()}")
        output: str = answer["output"]
        return output


_idle: list[RenodeConsole] = []
"""Processes without a machine, which the next machine takes: a start takes seconds."""


def open_console() -> RenodeConsole:
    """A Renode without machines: an idle one of this process, or a new one of what is installed.

    Raises:
        MissingDependencyError: there is none.
    """
    return _idle.pop() if _idle else _start_console()


def give_back(console: RenodeConsole) -> None:
    """Keeps a Renode for the next machine, up to the end of this process."""
    try:
        console.clear()
    except EmulationError:
        console.close()
    else:
        if not _idle:
            # Unlike atexit's, these run at the end of worker processes too.
            Finalize(None, close_idle, exitpriority=10)
        _idle.append(console)


def close_idle() -> None:
    """Ends all Renodes that wait for a machine."""
    while _idle:
        _idle.pop().close()


# The pipes stay the parent's.
os.register_at_fork(after_in_child=_idle.clear)


def _start_console() -> RenodeConsole:
    program = shutil.which("renode")
    if program is not None:
        return CommandConsole(program)
    environment = python_package.environment()
    if environment is not None:
        return PythonConsole(environment)
    raise MissingDependencyError(INSTALL_HINT)


def is_installed() -> bool:
    """Whether ``open_console`` finds a Renode."""
    return shutil.which("renode") is not None or python_package.environment() is not None
