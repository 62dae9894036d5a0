"""An emulated board in QEMU: cores that the in-process emulator lacks.

A run is stopped, looked at and counted through QEMU's debugger interface. QEMU executes an
instruction in a fixed virtual time (``-icount``), so that the firmware's counter counts
instructions and runs repeat exactly.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import time
from math import inf
from pathlib import Path

from predictor.boards.board import Board
from predictor.emulation.machine import (
    Ends,
    Fault,
    FaultKind,
    Progress,
    ProgressCallback,
    RunResult,
    StopReason,
    require_memory,
)
from predictor.emulation.process_machine import PROGRAM_FILE, ProcessMachine
from predictor.emulation.qemu.board import qemu_platform
from predictor.emulation.qemu.debugger import Debugger
from predictor.errors import EmulationError, MissingDependencyError
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.ports import port_of
from predictor.processes import TiedProcess

PROGRAM = "qemu-system-arm"
INSTALL = "apt install qemu-system-arm"
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.2, 3.2
"""Between two looks at a running program, of those that a run needs: each time twice as long."""
_UART_FILE, _ERRORS_FILE = "uart.bin", "errors.txt"
_FATAL = re.compile(r"^qemu: fatal: (.*)$", re.MULTILINE)
_PC = re.compile(r"R15=([0-9a-f]{8})")


class QemuMachine(ProcessMachine):
    """A board in a QEMU process of its own, which ends with it.

    ``instructions`` are those since the firmware started its counter, right after it has set up its
    memory.

    Args:
        board: as ``qemu_board`` made it.

    Raises:
        MissingDependencyError: QEMU is not installed.
        EmulationError: the board is not one of QEMU's.
    """

    def __init__(self, board: Board) -> None:
        platform = qemu_platform(board)
        path = shutil.which(PROGRAM)
        if path is None:
            raise MissingDependencyError(
                f"emulating a {board.core.name} needs {PROGRAM}, which is missing: {INSTALL}"
            )
        self._port = port_of(board)
        if not self._port.qemu:
            raise EmulationError(f"the firmware of {board.name} was built for another emulator")
        super().__init__(platform)
        self._qemu_path = path
        self._files: list[tuple[str, int]] = []
        self._process: TiedProcess | None = None
        self._running: Debugger | None = None
        self._stopped_at: int | None = None
        self._instructions = 0

    def _load(self, image: ElfImage, copy: Path) -> None:
        # The core looks for its first stack pointer and instruction at address 0.
        if image.vectors.load_address:
            self._add_file(image.vectors.data[: struct.calcsize("<2I")], 0)

    def load_binary(self, data: bytes, address: int) -> None:
        require_memory(self.platform, address, len(data), "the binary")
        if self._running is not None:
            raise EmulationError("QEMU takes binaries before the first run only")
        self._add_file(data, address)

    def _add_file(self, data: bytes, address: int) -> None:
        name = f"memory{len(self._files)}.bin"
        (self._own_folder / name).write_bytes(data)
        self._files.append((name, address))

    def _start(self) -> Debugger:
        """QEMU with program and binaries loaded, stopped before the first instruction."""
        folder = self._own_folder
        command = [self._qemu_path, "-M", self._port.qemu["machine"], "-display", "none"]
        command += ["-icount", f"shift={self._port.qemu['icount_shift']}", "-monitor", "none"]
        command += ["-serial", f"file:{_UART_FILE}", "-gdb", "stdio", "-S"]
        command += ["-device", f"loader,file={PROGRAM_FILE}"]
        for name, address in self._files:
            command += ["-device", f"loader,file={name},addr={address:#x},force-raw=on"]
        with (folder / _ERRORS_FILE).open("wb") as errors:
            self._process = TiedProcess(
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        debugger = Debugger(self._process.stdin, self._process.stdout)
        try:
            debugger.command("?")
        except EmulationError as error:
            raise EmulationError(f"QEMU does not start: {self._errors or error}") from error
        return debugger

    def _run(self, ends: Ends, progress: ProgressCallback | None) -> RunResult:
        """As :meth:`Machine.run`, but the program is stopped every few seconds to look for other
        ends than the symbol and the timeout. Virtual time then goes on a little, so that counts
        are exact only in a run without such stops."""
        start = time.monotonic()
        address = None if ends.symbol is None else self.symbol(ends.symbol)
        debugger = self._running = self._running or self._start()
        looks = not (ends.uart is None and ends.max_instructions is None and progress is None)
        try:
            if address is not None:
                if self._stopped_at == address:
                    debugger.command("s")
                debugger.set_breakpoint(address)
            stop, look_s = None, _FIRST_LOOK_S if looks else inf
            while stop is None:
                debugger.resume()
                has_stopped = debugger.stopped(min(look_s, ends.left_s(start)))
                look_s = max(look_s, min(2 * look_s, _LONGEST_LOOK_S))
                host_s = time.monotonic() - start
                if not has_stopped:
                    debugger.interrupt()
                self._instructions = self._counter(debugger)
                stop = self._reason(has_stopped, ends, host_s)
                if stop is None and progress is not None:
                    progress(Progress(self._instructions, len(self.uart), host_s))
            if address is not None:
                debugger.clear_breakpoint(address)
            self._stopped_at = address if stop is StopReason.SYMBOL else None
        except EmulationError:
            return self._fault(time.monotonic() - start)
        return self._result(stop, time.monotonic() - start)

    def _reason(self, has_stopped: bool, ends: Ends, host_s: float) -> StopReason | None:
        if has_stopped:
            return StopReason.SYMBOL
        if ends.uart is not None and ends.uart in self.uart:
            return StopReason.UART_TEXT
        if ends.max_instructions is not None and self._instructions >= ends.max_instructions:
            return StopReason.MAX_INSTRUCTIONS
        if ends.timeout_s is not None and host_s >= ends.timeout_s:
            return StopReason.TIMEOUT
        return None

    def _counter(self, debugger: Debugger) -> int:
        low, high = struct.unpack("<2I", debugger.read(self._port.cycle_counter, 8))
        return int(low | high << 32)

    def _result(self, stop: StopReason, host_s: float, fault: Fault | None = None) -> RunResult:
        return RunResult(
            stop=stop,
            instructions=self._instructions,
            uart=self.uart,
            fault=fault,
            host_s=host_s,
        )

    def _fault(self, host_s: float) -> RunResult:
        """The result of a run in which QEMU gave up: a fault within the handler of a fault, or
        before the program has set one up.

        Raises:
            EmulationError: QEMU failed for another reason.
        """
        if self._process is not None:
            self._process.end()
        errors = self._errors
        fatal, pc = _FATAL.search(errors), _PC.search(errors)
        if fatal is None or pc is None:
            raise EmulationError(f"QEMU has ended: {errors or 'it does not say why'}")
        location = self._own_image.locate(int(pc[1], 16))
        fault = Fault(FaultKind.INVALID_STATE, fatal[1], location, backtrace=(location,))
        return self._result(StopReason.FAULT, host_s, fault)

    @property
    def _errors(self) -> str:
        path = self._own_folder / _ERRORS_FILE
        return path.read_text(errors="replace").strip() if path.exists() else ""

    @property
    def uart(self) -> bytes:
        path = self._own_folder / _UART_FILE
        return path.read_bytes() if path.exists() else b""

    @property
    def instructions(self) -> int:
        return self._instructions

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        require_memory(self.platform, address, size_bytes, "the span to read")
        self._running = self._running or self._start()
        return self._running.read(address, size_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        require_memory(self.platform, address, len(data), "the span to write")
        self._running = self._running or self._start()
        self._running.write(address, data)

    def close(self) -> None:
        if self._folder is None:
            return
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._remove_folder()
