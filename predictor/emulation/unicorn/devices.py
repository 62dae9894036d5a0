"""Peripherals of the platform files, as far as firmware touches them.

Register layouts: RM0390 (F446), RM0385 (F746), RM0410 (F767). The names are Renode's class
names, so that one platform file serves both emulators. Where the board would ignore what the
firmware does (a UART without clock, for one), the model ignores it too and says so in a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import ClassVar

from predictor.emulation.platform.description import Peripheral, Platform
from predictor.errors import PlatformError
from predictor.records import dataclass

WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """What a device can do to its machine.

    Attributes:
        cycles: clock cycles since reset, exact at the instruction that accesses the device.
        notice: tells the user, once, what would fail on the board.
        transmit: takes a byte that left the UART.
    """

    cycles: Callable[[], int]
    notice: Callable[[str], None]
    transmit: Callable[[int], None]


class Device:
    """A bank of 32-bit registers, which keep what is written to them.

    Subclasses overrule ``read_word`` and ``write_word`` where a register does more.
    """

    SIZE_BYTES: ClassVar[int] = 0x400
    ATTRIBUTES: ClassVar[frozenset[str]] = frozenset()
    RESET: ClassVar[Mapping[int, int]] = {}

    def __init__(self, description: Peripheral, context: DeviceContext) -> None:
        unknown = sorted(description.attributes.keys() - self.ATTRIBUTES)
        if unknown or description.commands:
            what = f"attribute {unknown[0]}" if unknown else "monitor commands"
            raise PlatformError(f"{description.where}: {description.type}: {what} not modelled")
        self.name = description.name
        self.description = description
        self.context = context
        self.reset()

    def reset(self) -> None:
        """Puts all registers back to their values after reset."""
        self.words: dict[int, int] = dict(self.RESET)

    def read(self, offset: int, size_bytes: int) -> int:
        """Reads 1, 2 or 4 bytes."""
        word = self.read_word(offset & ~3)
        return word >> 8 * (offset & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, offset: int, size_bytes: int, value: int) -> None:
        """Writes 1, 2 or 4 bytes; the other bytes of the word stay as they read."""
        if size_bytes < 4:
            shift, mask = 8 * (offset & 3), (1 << 8 * size_bytes) - 1
            value = self.read_word(offset & ~3) & ~(mask << shift) | (value & mask) << shift
        self.write_word(offset & ~3, value & WORD)

    def read_word(self, offset: int) -> int:
        return self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        self.words[offset] = value


class Rcc(Device):
    """Reset and clock control: every oscillator is ready once it is switched on."""

    ATTRIBUTES = frozenset({"rtcPeripheral"})
    RESET: ClassVar[Mapping[int, int]] = {0x00: 0x83, 0x04: 0x24003010, 0x30: 0x00100000}
    CR, CFGR, APB1ENR = 0x00, 0x08, 0x40
    _SWITCHES = (0, 16, 24, 26, 28)
    """HSION, HSEON, PLLON, PLLI2SON, PLLSAION; the ready flag stands one bit higher."""

    def read_word(self, offset: int) -> int:
        value = super().read_word(offset)
        if offset == self.CR:
            for switch in self._SWITCHES:
                value = value & ~(2 << switch) | (value >> switch & 1) << (switch + 1)
        elif offset == self.CFGR:
            value = value & ~0xC | (value & 3) << 2
        return value

    def is_on(self, offset: int, bit: int) -> bool:
        """Whether an enable bit is set."""
        return bool(self.read_word(offset) >> bit & 1)


class Pwr(Device):
    """Power control: voltage scaling and over-drive follow their switches at once."""

    RESET: ClassVar[Mapping[int, int]] = {0x00: 0xC000}
    CR, CSR = 0x00, 0x04
    _VOSRDY, _OVER_DRIVE_BITS = 1 << 14, 3 << 16

    def read_word(self, offset: int) -> int:
        if offset != self.CSR:
            return super().read_word(offset)
        return self._VOSRDY | super().read_word(self.CR) & self._OVER_DRIVE_BITS


class FlashController(Device):
    """Flash interface: keeps wait states and accelerator switches; flash is not programmed."""

    ATTRIBUTES = frozenset({"flash"})
    RESET: ClassVar[Mapping[int, int]] = {0x10: 0x80000000}


class Gpio(Device):
    """GPIO port: keeps its settings and outputs; no pin is driven from outside."""

    ATTRIBUTES = frozenset(
        {"numberOfAFs", "modeResetValue", "outputSpeedResetValue", "pullUpPullDownResetValue"}
    )
    _RESET_ATTRIBUTES: ClassVar[Mapping[int, str]] = {
        0x00: "modeResetValue",
        0x08: "outputSpeedResetValue",
        0x0C: "pullUpPullDownResetValue",
    }
    ODR, BSRR = 0x14, 0x18

    def reset(self) -> None:
        super().reset()
        for offset, attribute in self._RESET_ATTRIBUTES.items():
            if attribute in self.description.attributes:
                self.words[offset] = self.description.number(attribute)

    def write_word(self, offset: int, value: int) -> None:
        if offset != self.BSRR:
            return super().write_word(offset, value)
        # The low half sets pins, the high half resets them; a pin in both is set.
        outputs = self.read_word(self.ODR) & ~(value >> 16) | value & 0xFFFF
        return super().write_word(self.ODR, outputs)


class Rtc(Device):
    """Real-time clock: there because the clock control names it; it does not run."""


class Uart(Device):
    """A transmitter that is always ready; nothing is received.

    ``rcc`` is set by the machine; without it the UART counts as clocked.
    """

    ATTRIBUTES = frozenset({"frequency"})
    READY: ClassVar[int] = 0xC0
    """TXE and TC."""
    CONTROL: ClassVar[int]
    STATUS: ClassVar[int]
    DATA: ClassVar[int]
    ENABLED: ClassVar[int]
    """UE and TE."""
    _CLOCK_BITS: ClassVar[Mapping[int, int]] = {0x40004400: 17, 0x40004800: 18}
    """USART2 and USART3 in RCC_APB1ENR."""

    rcc: Rcc | None = None

    def read_word(self, offset: int) -> int:
        if not self._is_clocked():
            return 0
        return self.READY if offset == self.STATUS else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        if not self._is_clocked():
            return
        super().write_word(offset, value)
        if offset != self.DATA:
            return
        if self.words.get(self.CONTROL, 0) & self.ENABLED == self.ENABLED:
            self.context.transmit(value & 0xFF)
        else:
            self.context.notice(
                f"{self.name} drops what is sent: its transmitter is not on (UE and TE in CR1)"
            )

    def _is_clocked(self) -> bool:
        bit = self._CLOCK_BITS.get(self.description.registrations[0].address or 0)
        if self.rcc is None or bit is None or self.rcc.is_on(Rcc.APB1ENR, bit):
            return True
        self.context.notice(
            f"{self.name} is used before its clock is on (bit {bit} of RCC_APB1ENR); "
            "the board reads zeros and ignores writes"
        )
        return False


class UartF4(Uart):
    """USART of the STM32F4, RM0390 chapter 25."""

    CONTROL, STATUS, DATA, ENABLED = 0x0C, 0x00, 0x04, 1 << 13 | 1 << 3


class UartF7(Uart):
    """USART of the STM32F7, RM0385 chapter 31."""

    CONTROL, STATUS, DATA, ENABLED = 0x00, 0x1C, 0x28, 1 << 0 | 1 << 3
    READY = 0x200000C0 | 1 << 21
    """TXE, TC, the reset value's reserved bit, and TEACK."""


class TrivialUart(Device):
    """Renode's stand-in for a UART: one register, which sends what is written to it."""

    SIZE_BYTES = 4

    def write_word(self, offset: int, value: int) -> None:
        self.context.transmit(value & 0xFF)


DEVICE_CLASSES: Mapping[str, type[Device]] = {
    "GPIOPort.STM32_GPIOPort": Gpio,
    "MTD.STM32F4_FlashController": FlashController,
    "Miscellaneous.STM32F4_RCC": Rcc,
    "Miscellaneous.STM32_PWR": Pwr,
    "Timers.STM32F4_RTC": Rtc,
    "UART.STM32F7_USART": UartF7,
    "UART.STM32_UART": UartF4,
    "UART.TrivialUart": TrivialUart,
}


@dataclass(frozen=True, slots=True)
class MappedDevice:
    """A device at its address."""

    base: int
    size_bytes: int
    device: Device

    def holds(self, address: int, size_bytes: int) -> bool:
        return self.base <= address and address + size_bytes <= self.base + self.size_bytes


def build_devices(
    platform: Platform, context: DeviceContext, core: Mapping[str, type[Device]]
) -> tuple[MappedDevice, ...]:
    """A device for each peripheral of a platform, by address.

    Args:
        core: classes of the core's own peripherals.

    Raises:
        PlatformError: a class or attribute has no model, or two peripherals overlap.
    """
    classes = {**DEVICE_CLASSES, **core}
    mapped: list[MappedDevice] = []
    for item in platform.peripherals.values():
        if item.type == "Memory.MappedMemory" or item is platform.cpu:
            continue
        if item.type not in classes:
            raise PlatformError(f"{item.where}: {item.type} has no model")
        device = classes[item.type](item, context)
        for registration in item.registrations:
            if registration.address is None or registration.region is not None:
                raise PlatformError(f"{item.where}: {item.name} needs a plain address")
            size = registration.size_bytes or device.SIZE_BYTES
            mapped.append(MappedDevice(registration.address, size, device))
    mapped.sort(key=lambda entry: entry.base)
    for low, high in pairwise(mapped):
        if low.base + low.size_bytes > high.base:
            raise PlatformError(f"{high.device.name} overlaps {low.device.name}")
    _connect(mapped)
    return tuple(mapped)


def _connect(mapped: list[MappedDevice]) -> None:
    rcc = next((entry.device for entry in mapped if isinstance(entry.device, Rcc)), None)
    for entry in mapped:
        if isinstance(entry.device, Uart):
            entry.device.rcc = rcc
