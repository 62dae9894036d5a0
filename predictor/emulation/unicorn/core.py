"""One Cortex-M with its memories and peripherals, executed by Unicorn in slices.

A slice ends where the host has something to do: a limit, an exception to enter or leave, a fault.
Unicorn reports these through hooks; what they mean is decided here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from predictor.emulation.machine import Fault, FaultKind, StopReason, require_memory
from predictor.emulation.platform.description import Platform
from predictor.emulation.unicorn import core_devices, exceptions, thumb
from predictor.emulation.unicorn.block_counter import BlockCounter
from predictor.emulation.unicorn.counter_state import Stop
from predictor.emulation.unicorn.device_bus import DeviceBus
from predictor.emulation.unicorn.devices import DeviceContext, build_devices
from predictor.emulation.unicorn.division_trap import watch_divisions
from predictor.emulation.unicorn.fault_report import FaultReporter, RawFault
from predictor.emulation.unicorn.library import emulated_core, make_engine, raise_callback_error
from predictor.emulation.unicorn.memory_map import MemoryMap
from predictor.emulation.unicorn.thumb import Trait
from predictor.errors import EmulationError, PlatformError
from predictor.firmware.elf_image import ElfImage
from predictor.records import dataclass

if TYPE_CHECKING:
    from unicorn import Uc, UcError

SLICE_INSTRUCTIONS, SLOW_SLICE_INSTRUCTIONS = 20_000_000, 500_000
"""Between two looks at the host's clock and at Ctrl-C: some 50 ms counted in C, and in Python."""
MASKED_POLL_INSTRUCTIONS = 32
"""How soon a masked exception is looked at again."""
STACK_LIMIT_SYMBOLS = ("__stack_start", "__StackLimit", "__stack_limit")
_NEVER_REACHED = 0xFFFFFFFE
_SUPERVISOR_CALL, _BREAKPOINT, _EXCEPTION_RETURN = 2, 7, 8
"""QEMU's EXCP_SWI, EXCP_BKPT and EXCP_EXCEPTION_EXIT."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why the core stopped for good."""

    stop: StopReason
    fault: Fault | None = None
    breakpoint: int | None = None


class UnicornCore:
    """The emulated board with one program in it.

    Args:
        platform: what the board consists of.
        image: the program; its segments are in memory afterwards.
        is_profile: keep instructions per function and call.
    """

    def __init__(self, platform: Platform, image: ElfImage, is_profile: bool) -> None:
        self.image = image
        self.uart = bytearray()
        self.until_uart: bytes | None = None
        self._has_sent_text = False
        self.has_booted = False
        self._notices: dict[str, None] = {}
        self._raw_fault: RawFault | None = None
        self._event: int | None = None
        self._slept_cycles = 0
        self._watches_divisions = False
        self.memory = MemoryMap(platform, image)
        for segment in image.segments:
            require_memory(platform, segment.load_address, len(segment.data), str(image.path))
            self.memory.write(segment.load_address, segment.data)
        self.core = emulated_core(platform)
        self.engine = make_engine(self.core)
        self.memory.map_into(self.engine)
        self.counter = BlockCounter(
            self.engine,
            self.memory.code_regions(),
            [function.address for function in image.functions],
            is_profile,
        )
        self._add_devices(platform)
        self._add_hooks()
        self.reporter = FaultReporter(self.engine, platform, image, self.memory)
        self.reset()

    def _add_devices(self, platform: Platform) -> None:
        context = DeviceContext(self._cycles_at_access, self._notice, self._transmit)
        devices = build_devices(platform, context, core_devices.CORE_DEVICE_CLASSES)
        self._bus = DeviceBus(self.engine, devices)
        system = next(
            (x.device for x in devices if isinstance(x.device, core_devices.SystemControl)), None
        )
        if system is None:
            raise PlatformError(f"{platform.path} has no IRQControllers.NVIC")
        self.system = system
        system.core = self.core
        system.on_change = self._system_changed
        for entry in devices:
            if isinstance(entry.device, core_devices.CycleCounter):
                entry.device.system_control = system

    def _add_hooks(self) -> None:
        from unicorn.unicorn_const import UC_HOOK_INTR, UC_HOOK_MEM_INVALID

        self.engine.hook_add(UC_HOOK_INTR, self._on_interrupt)
        self.engine.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid_access)

    def reset(self) -> None:
        """Back to power-on: RAM, registers, peripherals, counts. Flash keeps its data."""
        self.memory.fill_ram()
        for segment in self.image.segments:
            holder = self.memory.find(segment.load_address)
            if holder is not None and not holder.is_read_only:
                self.memory.write(segment.load_address, segment.data)
        self._bus.reset()
        self.counter.reset()
        self._system_changed()
        self.uart.clear()
        self._notices.clear()
        self._slept_cycles = 0
        self.has_booted = False

    def boot(self) -> None:
        """Takes stack pointer and program counter from the vector table, as the core does.

        Raises:
            EmulationError: the program does not start with one.
        """
        table = self.image.vectors.load_address
        stack_pointer, handler = struct.unpack("<2I", self.memory.read(table, 8))
        entry = self.memory.find(handler & ~1)
        if not handler & 1 or entry is None or not entry.is_executable or stack_pointer & 3:
            raise EmulationError(
                f"{self.image.path} does not start with a vector table: at {table:#010x} stand "
                f"{stack_pointer:#010x} (stack pointer) and {handler:#010x} (reset handler)"
            )
        self.system.words[core_devices.SystemControl.VTOR] = table
        self.start_at(handler, stack_pointer)
        symbols = self.image.symbols
        limits = [symbols[name] for name in STACK_LIMIT_SYMBOLS if name in symbols]
        self.counter.state.stack_limit = limits[0] if limits else 0

    def start_at(self, address: int, stack_pointer: int) -> None:
        """Points the core at code, with an empty stack."""
        from unicorn import arm_const as arm

        self.engine.reg_write(arm.UC_ARM_REG_EPSR, 1 << 24)
        self.engine.reg_write(arm.UC_ARM_REG_SP, stack_pointer)
        self.engine.reg_write(arm.UC_ARM_REG_PC, address | 1)
        self.stack_top = stack_pointer
        self.has_booted = True

    @property
    def instructions(self) -> int:
        """Executed since reset, exact between slices."""
        return self.counter.state.instructions

    @property
    def notices(self) -> tuple[str, ...]:
        """What works here but not on the board."""
        return tuple(self._notices)

    @property
    def stack_used_bytes(self) -> int | None:
        """Most that was on the stack since the start; None before anything was."""
        lowest = self.counter.state.stack_lowest
        return self.stack_top - lowest if self.has_booted and lowest <= self.stack_top else None

    def request_attention(self) -> None:
        """Ends the slice before the next block."""
        self.counter.state.deadline = 0

    def slice(self, limit: int) -> Outcome | None:
        """Executes up to a slice's instructions; None means: go on.

        Args:
            limit: instructions since reset after which the run ends.
        """
        from unicorn import UcError

        self._enter_exception()
        state = self.counter.state
        state.deadline = self._next_deadline(limit)
        state.stop = Stop.NONE
        self._raw_fault = self._event = None
        self._has_sent_text = False
        try:
            self.engine.emu_start(self._program_counter | 1, _NEVER_REACHED)
        except UcError as error:
            return self._failed(error)
        return self._event_outcome() if self._event is not None else self._stopped(limit)

    def _next_deadline(self, limit: int) -> int:
        now = self.counter.state.instructions
        length = SLICE_INSTRUCTIONS if self.counter.is_native else SLOW_SLICE_INSTRUCTIONS
        ends = [limit, now + length]
        systick = self.system.systick
        if systick.raises_exception:
            ends.append(systick.next_zero(self._cycles()) - self._slept_cycles)
        if self.system.pending and not self.system.active_exception:
            ends.append(now + MASKED_POLL_INSTRUCTIONS)
        return min(ends)

    def _failed(self, error: UcError) -> Outcome | None:
        """A slice that Unicorn broke off, inside a block or at WFE or YIELD, which do nothing."""
        from unicorn.arm_const import UC_ARM_REG_XPSR
        from unicorn.unicorn_const import UC_ERR_EXCEPTION, UC_ERR_INSN_INVALID

        raise_callback_error(self.engine)
        address = self._program_counter
        if error.errno == UC_ERR_INSN_INVALID and address == self.counter.block_end:
            return None  # behind a hint; at an undefined instruction it would lie inside
        self._uncount_from(address)
        raw = self._raw_fault
        is_thumb = self.engine.reg_read(UC_ARM_REG_XPSR) & 1 << 24
        if raw is None and not is_thumb and error.errno in (UC_ERR_EXCEPTION, UC_ERR_INSN_INVALID):
            raw = RawFault(FaultKind.INVALID_STATE, f"jump to {address:#010x}, an even address")
        elif raw is None and error.errno == UC_ERR_INSN_INVALID:
            raw = self.reporter.undefined_fault(address)
        elif raw is None:
            raise EmulationError(f"Unicorn stopped at {address:#010x}: {error}")
        return self._fault(raw, self._culprit(raw, address))

    def _fault(self, raw: RawFault, address: int) -> Outcome:
        return Outcome(StopReason.FAULT, fault=self.reporter.fault(raw, address))

    def _event_outcome(self) -> Outcome | None:
        """What an interrupt hook has noted."""
        address = self._program_counter
        if self._raw_fault is not None:
            self._uncount_from(address)
            return self._fault(self._raw_fault, address)
        if self._event == _SUPERVISOR_CALL:
            self.system.pending.add(core_devices.SVCALL)
            return None
        if self._event == _EXCEPTION_RETURN:
            reason = exceptions.leave(self.engine, self.system, address | 1)
            if reason:
                raw = RawFault(FaultKind.INVALID_RETURN, reason)
                return self._fault(raw, self._culprit(raw, address))
            self.counter.state.last_traits = Trait.JUMP  # the profile takes it for a return
            return None
        if self._event == _BREAKPOINT:
            self._uncount_from(address)
            return Outcome(StopReason.BREAKPOINT, breakpoint=self.memory.read(address, 1)[0])
        raise EmulationError(f"Unicorn raised interrupt {self._event} at {address:#010x}")

    def _stopped(self, limit: int) -> Outcome | None:
        """A slice that ended between two blocks."""
        stop = self.counter.state.stop
        address = self._program_counter
        if stop == Stop.STACK:
            limit_address = self.counter.state.stack_limit
            message = f"the stack pointer passes the stack's end at {limit_address:#010x}"
            return self._fault(RawFault(FaultKind.STACK_OVERFLOW, message), address)
        if stop == Stop.REFUSED:
            return self._refused()
        if self._has_sent_text or stop == Stop.REQUESTED:
            return Outcome(StopReason.UART_TEXT)
        if stop == Stop.ADDRESS:
            return Outcome(StopReason.SYMBOL)
        if self.system.reset_requested:
            return Outcome(StopReason.RESET)
        if stop == Stop.DEADLINE:
            reached = self.counter.state.instructions >= limit
            return Outcome(StopReason.MAX_INSTRUCTIONS) if reached else None
        return self._sleep()

    def _refused(self) -> Outcome:
        """An instruction that this core, as it is set up, does not have."""
        state = self.counter.state
        code = self.memory.read(state.block_address, state.block_bytes)
        address = state.block_address
        if not self.system.has_fpu_access:
            address += thumb.first_with_trait(code, Trait.FPU)
            message = "CPACR (0xE000ED88) does not open coprocessors 10 and 11"
            return self._fault(RawFault(FaultKind.FPU_DISABLED, message), address)
        address += thumb.first_with_trait(code, Trait.FPV5)
        message = f"a floating-point instruction that a {self.core.name} does not have"
        return self._fault(RawFault(FaultKind.WRONG_CORE, message), address)

    def _sleep(self) -> Outcome | None:
        """WFI: time passes until the next exception."""
        if self.system.pending:
            return None
        systick = self.system.systick
        if not systick.raises_exception:
            return Outcome(StopReason.IDLE)
        self._slept_cycles += systick.next_zero(self._cycles()) - self._cycles()
        return None

    def _enter_exception(self) -> None:
        system = self.system
        if system.systick.raises_exception and system.systick.take_expiry(self._cycles()):
            system.pending.add(core_devices.SYSTICK)
        if system.traps_division and not self._watches_divisions:
            self._watches_divisions = True
            watch_divisions(self.engine, self.memory, self._on_division_by_zero)
        number = exceptions.next_exception(self.engine, system)
        if number is None:
            return
        table = system.words.get(core_devices.SystemControl.VTOR, 0)
        handler = int.from_bytes(self.memory.read(table + 4 * number, 4), "little")
        state = self.counter.state
        state.last_end = self._program_counter
        state.last_traits = Trait.CALL
        exceptions.enter(self.engine, system, number, handler)

    def _on_interrupt(self, engine: Uc, number: int, _: Any) -> None:
        self._event = number
        self._stop()

    def _on_invalid_access(
        self, engine: Uc, access: int, address: int, size_bytes: int, value: int, _: Any
    ) -> bool:
        from unicorn import unicorn_const as const

        is_protected = access in (const.UC_MEM_READ_PROT, const.UC_MEM_WRITE_PROT)
        if is_protected and self._bus.holds(address, size_bytes):
            return True
        if access in (const.UC_MEM_FETCH_PROT, const.UC_MEM_FETCH_UNMAPPED):
            self._raw_fault = self.reporter.fetch_fault(address)
        else:
            is_read = access in (const.UC_MEM_READ_PROT, const.UC_MEM_READ_UNMAPPED)
            verb = "read" if is_read else "write"
            self._raw_fault = self.reporter.access_fault(verb, address, size_bytes)
        return False

    def _on_division_by_zero(self, address: int) -> None:
        self._raw_fault = RawFault(FaultKind.DIVISION_BY_ZERO, "CCR.DIV_0_TRP is set")
        self._event = 0
        self._stop()

    def _stop(self) -> None:
        self.counter.state.stop = Stop.REQUESTED
        self.engine.emu_stop()

    def _system_changed(self) -> None:
        """Takes over what a write to the system control space has changed."""
        refused = Trait(0) if self.system.has_fpu_access else Trait.FPU
        if not self.core.has_fpv5:
            refused |= Trait.FPV5
        self.counter.state.refused_traits = refused
        self.request_attention()

    def _notice(self, text: str) -> None:
        self._notices[text] = None

    def _transmit(self, byte: int) -> None:
        self.uart.append(byte)
        if self.until_uart is not None and self.uart.endswith(self.until_uart):
            # Between two blocks: a run that goes on would send the byte again from amid one.
            self._has_sent_text = True
            self.request_attention()

    @property
    def _program_counter(self) -> int:
        """Address of the current instruction, current also inside hooks on memory."""
        from unicorn.arm_const import UC_ARM_REG_PC

        address: int = self.engine.reg_read(UC_ARM_REG_PC) & ~1
        return address

    def _cycles(self) -> int:
        """Clock cycles since reset, between slices: one an instruction, and those slept."""
        return self.counter.state.instructions + self._slept_cycles

    def _cycles_at_access(self) -> int:
        """The same inside an access to a device, without the accessing instruction."""
        return self._cycles() - self._left_in_block(self._program_counter)

    def _left_in_block(self, address: int) -> int:
        """Instructions of the current block from an address on; 0 outside of it."""
        end = self.counter.block_end
        if not self.counter.state.block_address <= address < end:
            return 0
        return thumb.count_instructions(self.memory.read(address, end - address))

    def _uncount_from(self, address: int) -> None:
        """Takes back the count of instructions that a broken-off block did not execute."""
        state = self.counter.state
        left = self._left_in_block(address)
        state.instructions -= left
        if state.last_function < len(self.counter.functions) and self.counter.is_profile:
            self.counter.functions[state.last_function].self_instructions -= left

    def _culprit(self, raw: RawFault, address: int) -> int:
        """Address of the instruction to blame: for a jump to a bad place, that of the jump."""
        state = self.counter.state
        if raw.kind in (FaultKind.EXECUTE_DATA, FaultKind.INVALID_RETURN):
            begin, size = state.block_address, state.block_bytes
        elif raw.kind is FaultKind.INVALID_STATE:  # its target counts as a block already
            begin, size = state.previous_address, state.previous_bytes
        else:
            return address
        offsets = [offset for offset, _, _ in thumb.instructions(self.memory.read(begin, size))]
        return begin + (offsets[-1] if offsets else 0)
