"""Peripherals of the Cortex-M itself: system control space, SysTick and the cycle counter.

Register layouts: Armv7-M architecture reference manual, B3.2 (system control), B3.3 (SysTick),
C1.8 (DWT).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from predictor.cores.core import Core
from predictor.emulation.platform.description import Peripheral
from predictor.emulation.unicorn.devices import WORD, Device, DeviceContext

SYSTICK, PENDSV, SVCALL = 15, 14, 11


class SysTick:
    """The system timer, computed from the cycle count instead of being ticked."""

    def __init__(self) -> None:
        self.control = 0
        self.reload = 0
        self._base = 0
        self._flagged = 0
        self._expired = 0

    @property
    def is_counting(self) -> bool:
        return bool(self.control & 1) and self.reload > 0

    @property
    def raises_exception(self) -> bool:
        return self.is_counting and bool(self.control & 2)

    @property
    def period_cycles(self) -> int:
        """Cycles between two zeros. The external reference is an eighth of the core clock."""
        return (self.reload + 1) * (1 if self.control & 4 else 8)

    def restart(self, cycles: int) -> None:
        """The counter is cleared or switched on now."""
        self._base = cycles
        self._flagged = self._expired = 0

    def zeros(self, cycles: int) -> int:
        """How often the counter has reached zero since the restart."""
        return (cycles - self._base) // self.period_cycles if self.is_counting else 0

    def next_zero(self, cycles: int) -> int:
        """When the counter reaches zero next."""
        return self._base + (self.zeros(cycles) + 1) * self.period_cycles

    def take_flag(self, cycles: int) -> bool:
        """COUNTFLAG: whether zero was reached since the last look."""
        before, self._flagged = self._flagged, self.zeros(cycles)
        return self._flagged > before

    def take_expiry(self, cycles: int) -> bool:
        """Whether zero was reached since the last exception for it."""
        before, self._expired = self._expired, self.zeros(cycles)
        return self._expired > before

    def value(self, cycles: int) -> int:
        if not self.is_counting:
            return 0
        scale = 1 if self.control & 4 else 8
        return -((cycles - self._base) // scale) % (self.reload + 1)


class SystemControl(Device):
    """System control space at 0xE000E000. External interrupts are kept, but none is raised.

    ``on_change`` is called after a write that may need the machine's attention (an exception
    made pending, the floating-point unit switched, division traps, a reset request).
    """

    SIZE_BYTES = 0x1000
    ATTRIBUTES = frozenset({"priorityMask", "systickFrequency"})
    RESET: ClassVar[Mapping[int, int]] = {0xD0C: 0xFA050000, 0xD14: 0x200, 0xF34: 0xC0000000}
    SYST_CSR, SYST_RVR, SYST_CVR = 0x010, 0x014, 0x018
    CPUID, ICSR, VTOR, AIRCR, CCR = 0xD00, 0xD04, 0xD08, 0xD0C, 0xD14
    SHPR2, SHPR3, CFSR, HFSR, CPACR, DEMCR = 0xD1C, 0xD20, 0xD28, 0xD2C, 0xD88, 0xDFC
    _WRITE_ONE_CLEARS = (CFSR, HFSR)

    def __init__(self, description: Peripheral, context: DeviceContext) -> None:
        self.core: Core | None = None
        self.on_change: Callable[[], None] = lambda: None
        super().__init__(description, context)

    def reset(self) -> None:
        super().reset()
        self.systick = SysTick()
        self.pending: set[int] = set()
        self.reset_requested = False
        self.active_exception = 0

    @property
    def has_fpu_access(self) -> bool:
        """Whether coprocessors 10 and 11 are open to privileged code."""
        return self.words.get(self.CPACR, 0) >> 20 & 0b0101 == 0b0101

    @property
    def traps_division(self) -> bool:
        return bool(self.words.get(self.CCR, 0) & 1 << 4)

    @property
    def has_trace(self) -> bool:
        """TRCENA: without it the trace units do not run."""
        return bool(self.words.get(self.DEMCR, 0) & 1 << 24)

    def priority(self, exception: int) -> int:
        """Priority byte of SVCall, PendSV or SysTick."""
        register = self.SHPR2 if exception == SVCALL else self.SHPR3
        shift = 16 if exception == PENDSV else 24
        return self.words.get(register, 0) >> shift & 0xFF

    def read_word(self, offset: int) -> int:
        cycles = self.context.cycles
        if offset == self.SYST_CSR:
            return self.systick.control | self.systick.take_flag(cycles()) << 16
        if offset == self.SYST_RVR:
            return self.systick.reload
        if offset == self.SYST_CVR:
            return self.systick.value(cycles())
        if offset == self.CPUID:
            return 0 if self.core is None else self.core.cpuid
        if offset == self.ICSR:
            flags = (PENDSV in self.pending) << 28 | (SYSTICK in self.pending) << 26
            return flags | self.active_exception
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        systick = self.systick
        if offset == self.SYST_CSR:
            if value & 1 and not systick.control & 1:
                systick.restart(self.context.cycles())
            systick.control = value & 7
        elif offset == self.SYST_RVR:
            systick.reload = value & 0xFFFFFF
        elif offset == self.SYST_CVR:
            systick.restart(self.context.cycles())
        elif offset == self.ICSR:
            self._change_pending(value)
        elif offset == self.AIRCR:
            self.reset_requested = value >> 16 == 0x05FA and bool(value & 1 << 2)
        elif offset in self._WRITE_ONE_CLEARS:
            self.words[offset] = self.words.get(offset, 0) & ~value & WORD
        elif offset != self.CPUID:
            super().write_word(offset, value)
        self.on_change()

    def _change_pending(self, value: int) -> None:
        for bit, exception, is_set in (
            (28, PENDSV, True),
            (27, PENDSV, False),
            (26, SYSTICK, True),
            (25, SYSTICK, False),
        ):
            if value >> bit & 1:
                (self.pending.add if is_set else self.pending.discard)(exception)


class CycleCounter(Device):
    """Data watchpoint and trace unit: only its cycle counter.

    Cycles are instructions (and time asleep): with the platform files' frequencies one
    instruction is one cycle. Some cores lock the unit until the key is written.
    """

    SIZE_BYTES = 0x1000
    ATTRIBUTES = frozenset({"frequency"})
    CTRL, CYCCNT, LAR, LSR = 0x000, 0x004, 0xFB0, 0xFB4
    RESET: ClassVar[Mapping[int, int]] = {CTRL: 0x40000000}
    KEY = 0xC5ACCE55

    system_control: SystemControl | None = None

    def reset(self) -> None:
        super().reset()
        self._is_unlocked = False
        self._count = 0
        self._since: int | None = None

    def read_word(self, offset: int) -> int:
        if offset == self.CYCCNT:
            running = 0 if self._since is None else self.context.cycles() - self._since
            return (self._count + running) & WORD
        if offset == self.LSR:
            return 0b01 | (not self._is_unlocked) << 1 if self._has_lock else 0
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        if offset == self.LAR:
            self._is_unlocked = value == self.KEY
        elif self._has_lock and not self._is_unlocked:
            self.context.notice(
                "the cycle counter is locked: this core ignores writes to the DWT before "
                "0xC5ACCE55 is written to DWT_LAR (0xE0001FB0)"
            )
        elif offset == self.CYCCNT:
            self._count = value
            if self._since is not None:
                self._since = self.context.cycles()
        else:
            super().write_word(offset, value)
            self._switch(offset == self.CTRL and bool(value & 1), offset)

    @property
    def _has_lock(self) -> bool:
        core = None if self.system_control is None else self.system_control.core
        return core is not None and core.locks_cycle_counter

    def _switch(self, is_on: bool, offset: int) -> None:
        if offset != self.CTRL:
            return
        if is_on and self.system_control is not None and not self.system_control.has_trace:
            self.context.notice("the cycle counter stands still: TRCENA in DEMCR is not set")
            return
        if is_on and self._since is None:
            self._since = self.context.cycles()
        elif not is_on and self._since is not None:
            self._count = (self._count + self.context.cycles() - self._since) & WORD
            self._since = None


CORE_DEVICE_CLASSES: Mapping[str, type[Device]] = {
    "IRQControllers.NVIC": SystemControl,
    "Miscellaneous.DWT": CycleCounter,
}
