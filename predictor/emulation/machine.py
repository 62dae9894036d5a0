"""What every emulated machine can do, and what a run of it yields.

Emulators differ in how they count and what they trap; callers see only these types.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from itertools import groupby
from math import inf
from types import MappingProxyType, TracebackType

from predictor.boards.flash_interface import FlashTiming
from predictor.emulation.cycles import OperatorCycles
from predictor.emulation.function_call import Argument, CallResult
from predictor.emulation.platform.description import Platform
from predictor.errors import EmulationError, FirmwareFaultError
from predictor.firmware.symbols import CodeLocation
from predictor.records import dataclass


class StopReason(Enum):
    """Why a run ended. The values are words for messages."""

    SYMBOL = "reached the symbol"
    UART_TEXT = "sent the text"
    MAX_INSTRUCTIONS = "instruction limit"
    TIMEOUT = "host time limit"
    IDLE = "sleeps with nothing to wake it"
    BREAKPOINT = "breakpoint instruction"
    RESET = "requested a reset"
    FAULT = "fault"


class FaultKind(Enum):
    """What the firmware did that hardware would trap."""

    NULL_ACCESS = "null pointer"
    UNMAPPED_ACCESS = "access outside memory"
    WRITE_PROTECTED = "write to read-only memory"
    PERIPHERAL_ACCESS = "access to a peripheral that does not exist"
    STACK_OVERFLOW = "stack overflow"
    EXECUTE_DATA = "execution of data"
    INVALID_STATE = "jump to an address without the Thumb bit"
    INVALID_RETURN = "return from an exception that cannot be"
    UNDEFINED_INSTRUCTION = "undefined instruction"
    WRONG_CORE = "instruction of another core"
    FPU_DISABLED = "floating-point unit is off"
    DIVISION_BY_ZERO = "division by zero"
    OUT_OF_BUFFER = "access outside a buffer"


@dataclass(frozen=True, slots=True)
class Fault:
    """A trap. ``backtrace`` starts with ``location`` and goes outwards."""

    kind: FaultKind
    message: str
    location: CodeLocation
    address: int | None = None
    registers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    backtrace: tuple[CodeLocation, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.kind.value}: {self.message}", f"  in {self.location}"]
        for frame, repeated in groupby(self.backtrace[1:]):
            times = len(list(repeated))
            lines.append(f"  called from {frame}" + (f", {times} times" if times > 1 else ""))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class FunctionProfile:
    """Instructions of one function: its own, and with all that it called."""

    name: str
    address: int
    calls: int
    self_instructions: int
    inclusive_instructions: int


@dataclass(frozen=True, slots=True)
class CallProfile:
    """Calls from one function to another and the instructions spent in them."""

    caller: str | None
    callee: str
    calls: int
    inclusive_instructions: int


@dataclass(frozen=True, slots=True)
class Profile:
    """Functions, most instructions of their own first, and call edges."""

    functions: tuple[FunctionProfile, ...]
    calls: tuple[CallProfile, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run yields.

    Attributes:
        instructions: executed since reset, over all runs.
        uart: bytes sent since reset.
        stack_used_bytes: most that was on the stack since reset; None where it is not measured.
        notices: what works here but not on the board, in words.
        profiles: those at the start of each operator, where they were asked for.
        host_s: seconds that this run took.
    """

    stop: StopReason
    instructions: int
    uart: bytes
    fault: Fault | None = None
    breakpoint: int | None = None
    notices: tuple[str, ...] = ()
    stack_used_bytes: int | None = None
    profile: Profile | None = None
    profiles: tuple[Profile, ...] = ()
    host_s: float = 0.0

    def raise_fault(self) -> None:
        """Raises FirmwareFaultError if the run ended in a fault."""
        if self.fault is not None:
            raise FirmwareFaultError(self.fault)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; given to ``progress`` a few times a second."""

    instructions: int
    uart_bytes: int
    host_s: float


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends a run, other than a fault; the arguments of :meth:`Machine.run`."""

    symbol: str | None = None
    uart: bytes | None = None
    max_instructions: int | None = None
    timeout_s: float | None = None

    def left_s(self, start_s: float) -> float:
        """Host seconds left to a run that began at ``start_s`` by ``time.monotonic``."""
        return inf if self.timeout_s is None else start_s + self.timeout_s - time.monotonic()


class Machine(ABC):
    """An emulated board. Use as a context manager, or call ``close``.

    Raises (all methods): EmulationError where the emulator cannot do what is asked.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @abstractmethod
    def load_elf(self, path: str | os.PathLike[str]) -> None:
        """Loads a program into flash and resets the machine; there is one program a machine."""

    @abstractmethod
    def load_binary(self, data: bytes, address: int) -> None:
        """Writes data into flash or RAM, as a flash programmer would, before the first run."""

    def run(
        self,
        *,
        until_symbol: str | None = None,
        until_uart: bytes | None = None,
        max_instructions: int | None = None,
        timeout_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> RunResult:
        """Runs, or continues, until the first of the given ends or a fault.

        Args:
            until_symbol: stop before the first instruction of this function.
            until_uart: stop once the UART has sent this text.
            max_instructions: stop about there, counted from reset.
            timeout_s: host seconds for this run.
            progress: called a few times a second.
        """
        return self._run(Ends(until_symbol, until_uart, max_instructions, timeout_s), progress)

    @abstractmethod
    def _run(self, ends: Ends, progress: ProgressCallback | None) -> RunResult:
        """As :meth:`run`."""

    @property
    @abstractmethod
    def uart(self) -> bytes:
        """Bytes sent over the platform's UART since reset."""

    @property
    @abstractmethod
    def instructions(self) -> int:
        """Instructions executed since reset."""

    @abstractmethod
    def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Memory as the core would read it."""

    @abstractmethod
    def write_memory(self, address: int, data: bytes) -> None:
        """Writes memory, read-only or not."""

    @abstractmethod
    def symbol(self, name: str) -> int:
        """Address of a symbol of the program."""

    def count_cycles(
        self, marker: str, operators: Sequence[int], flash: FlashTiming | None = None
    ) -> OperatorCycles | None:
        """Counts clock cycles of each operator from now on; None where the emulator, or the core's
        file, cannot tell them.

        Args:
            marker: symbol of the word in which the program says what runs: 0 and 1 for what is no
                operator, else the number of a subgraph, from one, above an operator's.
            operators: how many each subgraph has.
            flash: of the board, to count what the core waits for it, too.
        """
        return None

    def call(
        self,
        function: str,
        *arguments: Argument,
        max_instructions: int | None = None,
        timeout_s: float | None = None,
        checks_bounds: bool = True,
    ) -> CallResult:
        """Calls one function of the program, with its buffers alone between pages that fault.

        Args:
            function: its symbol.
            arguments: by the procedure call standard; see ``function_call``.
            max_instructions: most that this call may take.
            timeout_s: host seconds that it may take.
            checks_bounds: check each access to the byte, some four times slower; without, an
                access must miss a buffer's pages to be noticed.

        Raises:
            FirmwareFaultError: the function did what hardware would trap, or accessed memory
                beside its buffers.
            EmulationError: it did not return, or did not preserve a register; or this emulator
                cannot call functions.
        """
        ends = Ends(max_instructions=max_instructions, timeout_s=timeout_s)
        return self._call(function, arguments, ends, checks_bounds)

    def _call(
        self, function: str, arguments: Sequence[Argument], ends: Ends, checks_bounds: bool
    ) -> CallResult:
        """As :meth:`call`; ``ends`` counts instructions of this call."""
        raise EmulationError("this emulator cannot call single functions; use Unicorn")

    @abstractmethod
    def close(self) -> None:
        """Ends the emulator and frees what it holds; nothing may be called afterwards."""

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def require_memory(platform: Platform, address: int, size_bytes: int, what: str) -> None:
    """Checks that a span lies within the platform's memories, neighbours taken together.

    Args:
        what: whose bytes these are, for the message.

    Raises:
        EmulationError: it does not; names the first address that no memory holds.
    """
    position, end = address, address + size_bytes
    while position < end:
        holder = next((m for m in platform.memories if m.base <= position < m.end), None)
        if holder is None:
            raise EmulationError(
                f"{what} does not fit {platform.path.stem}: of {size_bytes} bytes at "
                f"{address:#010x} those from {position:#010x} on lie in no memory"
            )
        position = holder.end
