"""An emulated board in Renode, with the same platform file and the same results.

Renode has exceptions, timers and time of its own, and is permissive: it logs and ignores accesses
outside of memory. So their counters are checked, and a run that made them go up is a fault.
Needs Renode 1.16 or later.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from predictor.emulation.machine import (
    Fault,
    FaultKind,
    Machine,
    Progress,
    ProgressCallback,
    RunResult,
    StopReason,
    require_memory,
)
from predictor.emulation.platform.board_platform import Platform
from predictor.emulation.renode.console import COMMAND_TIMEOUT_S, RenodeConsole, open_console
from predictor.errors import EmulationError
from predictor.firmware.elf_image import ElfImage

SLICE_S = 0.02
"""Virtual seconds between two looks at the ends of a run."""
_UART_PREFIX = "UART."


class RenodeMachine(Machine):
    """A board in a Renode process of its own.

    Raises:
        MissingDependencyError: Renode is not installed.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._folder: Path | None = None
        self._image: ElfImage | None = None
        self._console: RenodeConsole = open_console()
        try:
            self._create_board()
        except BaseException:
            self.close()
            raise

    def _create_board(self) -> None:
        # Renode deletes folders named renode-<number> from the temporary folder at its start.
        self._folder = Path(tempfile.mkdtemp(prefix="mcu-predictor-"))
        self._uart_file = self._folder / "uart.bin"
        uarts = [x for x in self.platform.peripherals.values() if x.type.startswith(_UART_PREFIX)]
        if len(uarts) != 1:
            raise EmulationError(f"{self.platform.path} has {len(uarts)} UARTs; one is needed")
        for command in (
            'mach create "board"',
            f"machine LoadPlatformDescription {_path(self.platform.path)}",
            "emulation SetGlobalSerialExecution true",
            "emulation SetGlobalAdvanceImmediately true",
            f"sysbus.{uarts[0].name} CreateFileBackend {_path(self._uart_file)} true",
        ):
            self._console.execute(command)
        self._mips = self.platform.cpu.number("PerformanceInMips")

    def load_elf(self, path: str | os.PathLike[str]) -> None:
        if self._image is not None:
            raise EmulationError("the machine has a program already; make another machine")
        image = ElfImage(path)
        for segment in image.segments:
            require_memory(self.platform, segment.load_address, len(segment.data), str(image.path))
        copy = self._own_folder / "program.elf"
        shutil.copyfile(path, copy)
        self._console.execute(f"sysbus LoadELF {_path(copy)}")
        table = min(segment.load_address for segment in image.segments)
        self._console.execute(f"sysbus.cpu VectorTableOffset {table:#x}")
        self._image = image

    def load_binary(self, data: bytes, address: int) -> None:
        require_memory(self.platform, address, len(data), "the binary")
        file = self._own_folder / f"binary-{address:08x}"
        file.write_bytes(data)
        self._console.execute(f"sysbus LoadBinary {_path(file)} {address:#x}")

    def run(
        self,
        *,
        until_symbol: str | None = None,
        until_uart: bytes | None = None,
        max_instructions: int | None = None,
        timeout_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> RunResult:
        """As :meth:`Machine.run`, but ends are looked for every ``SLICE_S`` virtual seconds:
        ``until_symbol`` must name a function that the program does not leave again, and
        ``max_instructions`` may be exceeded by a slice."""
        start = time.monotonic()
        symbol = None if until_symbol is None else self._function_span(until_symbol)
        try:
            while True:
                before = self.instructions
                left_s = None if timeout_s is None else timeout_s - (time.monotonic() - start)
                stop = self._slice(left_s)
                stop = stop or self._reason_to_stop(before, symbol, until_uart, max_instructions)
                host_s = time.monotonic() - start
                if stop is not None:
                    return self._result(stop, host_s)
                if timeout_s is not None and host_s > timeout_s:
                    return self._result(StopReason.TIMEOUT, host_s)
                if progress is not None:
                    progress(Progress(self.instructions, len(self.uart), host_s))
        except BaseException:
            self.close()
            raise

    def _slice(self, left_s: float | None) -> StopReason | None:
        """Runs a slice; a fault if it accessed what is not there."""
        timeout_s = COMMAND_TIMEOUT_S if left_s is None else left_s + COMMAND_TIMEOUT_S
        self._console.execute(f'emulation RunFor "{SLICE_S:.6f}"', timeout_s)
        return StopReason.FAULT if any(self._unexpected_accesses()) else None

    def _reason_to_stop(
        self,
        instructions_before: int,
        symbol: range | None,
        until_uart: bytes | None,
        max_instructions: int | None,
    ) -> StopReason | None:
        if until_uart is not None and until_uart in self.uart:
            return StopReason.UART_TEXT
        if symbol is not None and self._console.number("sysbus.cpu PC") in symbol:
            return StopReason.SYMBOL
        now = self.instructions
        if max_instructions is not None and now >= max_instructions:
            return StopReason.MAX_INSTRUCTIONS
        if "True" in self._console.execute("sysbus.cpu IsHalted"):
            return StopReason.FAULT
        return StopReason.IDLE if now == instructions_before else None

    def _unexpected_accesses(self) -> tuple[int, int]:
        """Reads and writes so far where no memory or peripheral is."""
        number = self._console.number
        return number("sysbus UnexpectedReads"), number("sysbus UnexpectedWrites")

    def _result(self, stop: StopReason, host_s: float) -> RunResult:
        return RunResult(
            stop=stop,
            instructions=self.instructions,
            uart=self.uart,
            fault=self._fault() if stop is StopReason.FAULT else None,
            host_s=host_s,
        )

    def _fault(self) -> Fault:
        address = self._console.number("sysbus.cpu PC") & ~1
        location = self._own_image.locate(address)
        reads, writes = self._unexpected_accesses()
        if reads or writes:
            message = (
                f"{reads} reads and {writes} writes where no memory or peripheral is; "
                "Renode ignores them, a board traps"
            )
            return Fault(FaultKind.UNMAPPED_ACCESS, message, location, backtrace=(location,))
        message = "Renode halted the core"
        return Fault(FaultKind.EXECUTE_DATA, message, location, backtrace=(location,))

    @property
    def uart(self) -> bytes:
        return self._uart_file.read_bytes() if self._uart_file.exists() else b""

    @property
    def instructions(self) -> int:
        return self._console.number("sysbus.cpu ExecutedInstructions")

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        require_memory(self.platform, address, size_bytes, "the span to read")
        first, last = address & ~3, (address + size_bytes + 3) & ~3
        words = bytearray()
        for position in range(first, last, 4):
            word = self._console.number(f"sysbus ReadDoubleWord {position:#x}")
            words += word.to_bytes(4, "little")
        return bytes(words[address - first : address - first + size_bytes])

    def write_memory(self, address: int, data: bytes) -> None:
        self.load_binary(data, address)

    def symbol(self, name: str) -> int:
        return self._own_image.symbol(name)

    def _function_span(self, name: str) -> range:
        address = self.symbol(name)
        function = self._own_image.function_at(address)
        size = function.size_bytes if function is not None else 1
        return range(address, address + max(size, 1))

    @property
    def _own_image(self) -> ElfImage:
        if self._image is None:
            raise EmulationError("the machine has no program; call load_elf first")
        return self._image

    @property
    def _own_folder(self) -> Path:
        if self._folder is None:
            raise EmulationError("the machine is closed")
        return self._folder

    def close(self) -> None:
        self._console.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _path(path: Path) -> str:
    """A path as the monitor reads it."""
    return "@" + str(path.resolve()).replace(" ", "\\ ")
