"""An emulated board in Renode, with the same platform file and the same results.

Renode has exceptions, timers and time of its own, and is permissive: it logs and ignores accesses
outside of memory. So their counters are checked, and a run that made them go up is a fault.
Needs Renode 1.16 or later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

from predictor.emulation.function_call import Argument, CallResult
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
from predictor.emulation.platform.description import Platform
from predictor.emulation.process_machine import ProcessMachine
from predictor.emulation.renode.bus import MonitorBus, monitor_path
from predictor.emulation.renode.console import (
    COMMAND_TIMEOUT_S,
    RenodeConsole,
    give_back,
    open_console,
)
from predictor.emulation.renode.function_caller import FunctionCaller
from predictor.errors import EmulationError
from predictor.firmware.elf_image import ElfImage
from predictor.records import dataclass

FIRST_SLICE_S, LONGEST_SLICE_S, SHORTEST_SLICE_S = 0.02, 0.64, 1e-5
"""Virtual seconds between two looks at the ends of a run: each slice is twice the one before."""
CALL_SLICE_S = 0.001
"""The first slice of a call, which mostly is short."""
_UART_PREFIX = "UART."
_STATE_COMMANDS = (
    "sysbus UnexpectedReads",
    "sysbus UnexpectedWrites",
    "sysbus.cpu PC",
    "sysbus.cpu ExecutedInstructions",
    "sysbus.cpu IsHalted",
)
_SELF_BRANCHES = (b"\xfe\xe7", b"\xff\xf7\xfe\xbf")
"""``b .`` in 2 and in 4 bytes; Armv7-M architecture reference manual, A7.7.12."""
_WFI = b"\x30\xbf"
_SYST_CSR, _COUNTS_AND_INTERRUPTS = 0xE000E010, 0b11


@dataclass(frozen=True, slots=True)
class _State:
    """The core and its bus as they are between two slices.

    Attributes:
        unexpected_reads, unexpected_writes: so far, where no memory or peripheral is.
        pc: address of the next instruction.
        executed: instructions that Renode has counted.
    """

    unexpected_reads: int = 0
    unexpected_writes: int = 0
    pc: int = 0
    executed: int = 0
    is_halted: bool = False

    @classmethod
    def parse(cls, output: str) -> _State:
        """Reads the answers to the commands for the state.

        Raises:
            EmulationError: Renode answered something else.
        """
        words = re.findall(r"\b(0x[0-9A-Fa-f]+|True|False)\b", output)
        if len(words) != len(_STATE_COMMANDS) or words[-1] not in ("True", "False"):
            raise EmulationError(f"Renode does not tell its state, but: {output.strip()!r}")
        reads, writes, pc, executed = (int(word, 0) for word in words[:-1])
        return cls(reads, writes, pc & ~1, executed, words[-1] == "True")


class RenodeMachine(ProcessMachine):
    """A board in a Renode process that it has for itself until it is closed.

    Raises:
        MissingDependencyError: Renode is not installed.
    """

    def __init__(self, platform: Platform) -> None:
        self._console: RenodeConsole = open_console()
        super().__init__(platform)
        self._state = self._accounted = _State()
        self._caller: FunctionCaller | None = None
        self._looped_instructions = 0
        self._bus = MonitorBus(self._console, self._own_folder)
        self._uart_file = self._own_folder / "uart.bin"
        try:
            self._create_board()
        except BaseException:
            self._abandon()
            raise

    def _create_board(self) -> None:
        uarts = [x for x in self.platform.peripherals.values() if x.type.startswith(_UART_PREFIX)]
        if len(uarts) != 1:
            raise EmulationError(f"{self.platform.path} has {len(uarts)} UARTs; one is needed")
        file = self.platform.path
        if self.platform.text is not None:
            file = self._own_folder / "board.repl"
            file.write_text(self.platform.text, encoding="utf-8")
        for command in (
            'mach create "board"',
            f"machine LoadPlatformDescription {monitor_path(file)}",
            "emulation SetGlobalSerialExecution true",
            "emulation SetGlobalAdvanceImmediately true",
            f"sysbus.{uarts[0].name} CreateFileBackend {monitor_path(self._uart_file)} true",
        ):
            self._console.execute(command)
        self._mips = self.platform.cpu.number("PerformanceInMips")

    def _load(self, image: ElfImage, copy: Path) -> None:
        self._console.execute(f"sysbus LoadELF {monitor_path(copy)}")
        table = image.vectors.load_address
        self._console.execute(f"sysbus.cpu VectorTableOffset {table:#x}")

    def load_binary(self, data: bytes, address: int) -> None:
        require_memory(self.platform, address, len(data), "the binary")
        self._bus.write(address, data)

    def _run(self, ends: Ends, progress: ProgressCallback | None) -> RunResult:
        """As :meth:`Machine.run`, but ends are looked for between slices of virtual time, which
        grow: ``until_symbol`` must name a function that the program does not leave again."""
        span = None if ends.symbol is None else self._function_span(ends.symbol)
        return self._run_slices(FIRST_SLICE_S, span, ends, progress)

    def _call(
        self, function: str, arguments: Sequence[Argument], ends: Ends, checks_bounds: bool
    ) -> CallResult:
        """As :meth:`Machine.call`, but what is read beside the buffers goes unnoticed within 64
        bytes of them and more, whatever ``checks_bounds`` says."""
        if self._caller is None:
            image = self._own_image
            self._caller = FunctionCaller(
                self._bus, self.platform, image, has_started=self._state.executed > 0
            )
        if ends.max_instructions is not None:
            ends = replace(ends, max_instructions=self.instructions + ends.max_instructions)
        self._accounted = self._state

        def run(park: range) -> RunResult:
            return self._run_slices(CALL_SLICE_S, park, ends, None)

        return self._caller.call(function, arguments, run)

    def _run_slices(
        self,
        slice_s: float,
        span: range | None,
        ends: Ends,
        progress: ProgressCallback | None,
    ) -> RunResult:
        """Runs until the program counter lies in ``span``, or another end."""
        start = time.monotonic()
        try:
            while True:
                before = self._state
                left_s = ends.left_s(start)
                self._run_for(self._limited(slice_s, ends.max_instructions), left_s)
                stop = self._reason_to_stop(before, span, ends)
                host_s = time.monotonic() - start
                if stop is not None:
                    return self._result(stop, host_s)
                if ends.left_s(start) < 0:
                    return self._result(StopReason.TIMEOUT, host_s)
                if progress is not None:
                    progress(Progress(self.instructions, len(self.uart), host_s))
                slice_s = min(2 * slice_s, LONGEST_SLICE_S)
        except BaseException:
            self._abandon()
            raise

    def _limited(self, slice_s: float, max_instructions: int | None) -> float:
        """A slice that does not go far beyond the limit: an instruction takes a cycle."""
        if max_instructions is None:
            return slice_s
        left_s = (max_instructions - self.instructions) / (self._mips * 1e6)
        return min(slice_s, max(left_s, SHORTEST_SLICE_S))

    def _run_for(self, slice_s: float, left_s: float) -> None:
        """Runs a slice and takes over the core's state behind it, all with one command line."""
        timeout_s = COMMAND_TIMEOUT_S if left_s == inf else left_s + COMMAND_TIMEOUT_S
        commands = (f'emulation RunFor "{slice_s:.6f}"', *_STATE_COMMANDS)
        output = self._console.execute("; ".join(commands), timeout_s)
        before = self._state
        self._state = _State.parse(output)
        if self._state.executed == before.executed and self._branches_to_itself():
            # Renode does not count these.
            self._looped_instructions += round(slice_s * self._mips * 1e6)

    def _reason_to_stop(self, before: _State, span: range | None, ends: Ends) -> StopReason | None:
        state = self._state
        if any(self._unexpected_accesses()):
            return StopReason.FAULT
        if ends.uart is not None and ends.uart in self.uart:
            return StopReason.UART_TEXT
        if span is not None and state.pc in span:
            return StopReason.SYMBOL
        if ends.max_instructions is not None and self.instructions >= ends.max_instructions:
            return StopReason.MAX_INSTRUCTIONS
        if state.is_halted:
            return StopReason.FAULT
        if state.executed > before.executed or self._branches_to_itself():
            return None
        return None if self._is_waiting_for_systick() else StopReason.IDLE

    def _branches_to_itself(self) -> bool:
        """Whether the next instruction is ``b .``, and it is not a sleep that stands before it."""
        pc = self._state.pc
        holder = next((m for m in self.platform.memories if m.base <= pc - 2 < m.end - 6), None)
        if holder is None:
            return False
        code = self.read_memory(pc - 2, 6)
        return code[:2] != _WFI and code[2:].startswith(_SELF_BRANCHES)

    def _is_waiting_for_systick(self) -> bool:
        control = self._console.number(f"sysbus ReadDoubleWord {_SYST_CSR:#x}")
        return control & _COUNTS_AND_INTERRUPTS == _COUNTS_AND_INTERRUPTS

    def _unexpected_accesses(self) -> tuple[int, int]:
        """Reads and writes of this run where no memory or peripheral is."""
        state, before = self._state, self._accounted
        return (
            state.unexpected_reads - before.unexpected_reads,
            state.unexpected_writes - before.unexpected_writes,
        )

    def _result(self, stop: StopReason, host_s: float) -> RunResult:
        return RunResult(
            stop=stop,
            instructions=self.instructions,
            uart=self.uart,
            fault=self._fault() if stop is StopReason.FAULT else None,
            host_s=host_s,
        )

    def _fault(self) -> Fault:
        location = self._own_image.locate(self._state.pc)
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
        return self._state.executed + self._looped_instructions

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        require_memory(self.platform, address, size_bytes, "the span to read")
        return self._bus.read(address, size_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        self.load_binary(data, address)

    def _function_span(self, name: str) -> range:
        address = self.symbol(name)
        function = self._own_image.function_at(address)
        size = function.size_bytes if function is not None else 1
        return range(address, address + max(size, 1))

    def close(self) -> None:
        self._leave(give_back)

    def _abandon(self) -> None:
        """Ends a Renode in an unknown state."""
        self._leave(lambda console: console.close())

    def _leave(self, leave_console: Callable[[RenodeConsole], None]) -> None:
        if self._folder is not None:
            leave_console(self._console)
            self._remove_folder()
