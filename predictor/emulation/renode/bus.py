"""The system bus of a machine in Renode: bytes in and out through the monitor."""

from __future__ import annotations

import re
from pathlib import Path

from predictor.emulation.renode.console import RenodeConsole
from predictor.errors import EmulationError

_READ_BYTES = 1024
"""So many a command: the monitor prints each as text."""


class MonitorBus:
    """Access to all addresses, memory or not.

    Args:
        folder: for the files that Renode reads from.

    Raises (all methods): EmulationError where Renode refuses.
    """

    def __init__(self, console: RenodeConsole, folder: Path) -> None:
        self._console = console
        self._folder = folder

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes as the core would read them."""
        content = bytearray()
        while len(content) < size_bytes:
            count = min(_READ_BYTES, size_bytes - len(content))
            position = address + len(content)
            printed = self._console.execute(f"sysbus ReadBytes {position:#x} {count}")
            values = re.findall(r"\b0x[0-9A-Fa-f]{1,2}\b", printed)
            if len(values) != count:
                raise EmulationError(
                    f"Renode gives {len(values)} bytes for {count} at {address:#x}"
                )
            content += bytes(int(value, 16) for value in values)
        return bytes(content)

    def write(self, address: int, data: bytes) -> None:
        """Writes bytes; flash takes them, too."""
        if data:
            file = self._folder / f"binary-{address:08x}"
            file.write_bytes(data)
            self._console.execute(f"sysbus LoadBinary {monitor_path(file)} {address:#x}")

    def add_memory(self, name: str, base: int, size_bytes: int) -> None:
        """Puts memory where there is none."""
        entry = f"{name}: Memory.MappedMemory @ sysbus {base:#x} {{ size: {size_bytes:#x} }}"
        self._console.execute(f'machine LoadPlatformDescriptionFromString "{entry}"')

    def set_program_counter(self, address: int) -> None:
        """Where the core goes on; an even address, of Thumb code."""
        self._console.execute(f"sysbus.cpu PC {address | 1:#x}")


def monitor_path(path: Path) -> str:
    """A path as the monitor reads it."""
    return "@" + str(path.resolve()).replace(" ", "\\ ")
