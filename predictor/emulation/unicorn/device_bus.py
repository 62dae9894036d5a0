"""Connects device models to Unicorn's address space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predictor.emulation.unicorn.devices import MappedDevice
from predictor.emulation.unicorn.memory_map import PAGE_BYTES

if TYPE_CHECKING:
    from unicorn import Uc


class DeviceBus:
    """All devices of a machine.

    Each page with a device is mapped as I/O without any permission. Every access then first
    raises a protection event, for which Unicorn makes the program counter current, and goes on to
    the device if :meth:`holds` allows it; plain I/O pages would leave the program counter at the
    block's start, and with it the cycle count inexact.
    """

    def __init__(self, engine: Uc, devices: Sequence[MappedDevice]) -> None:
        self.devices = tuple(devices)
        pages: set[int] = set()
        for entry in devices:
            first = entry.base // PAGE_BYTES
            last = (entry.base + entry.size_bytes - 1) // PAGE_BYTES
            pages.update(range(first, last + 1))
        for page in sorted(pages):
            self._map_page(engine, page * PAGE_BYTES)

    def _map_page(self, engine: Uc, base: int) -> None:
        from unicorn.unicorn_const import UC_PROT_NONE

        def read(engine: Uc, offset: int, size_bytes: int, _: Any) -> int:
            entry = self._find(base + offset, size_bytes)
            return entry.device.read(base + offset - entry.base, size_bytes) if entry else 0

        def write(engine: Uc, offset: int, size_bytes: int, value: int, _: Any) -> None:
            entry = self._find(base + offset, size_bytes)
            if entry is not None:
                entry.device.write(base + offset - entry.base, size_bytes, value)

        engine.mmio_map(base, PAGE_BYTES, read, None, write, None)
        engine.mem_protect(base, PAGE_BYTES, UC_PROT_NONE)

    def holds(self, address: int, size_bytes: int) -> bool:
        """Whether one device holds all bytes of an access."""
        return self._find(address, size_bytes) is not None

    def _find(self, address: int, size_bytes: int) -> MappedDevice | None:
        for entry in self.devices:
            if entry.holds(address, size_bytes):
                return entry
        return None

    def reset(self) -> None:
        """Resets every device."""
        for entry in self.devices:
            entry.device.reset()
