"""What an emulated core waits for its flash: for code, and for constants that it loads.

The hooks in C follow the caches that stand before the flash; ``_flash_waits.c`` is the model. They
see each load, which takes an emulator two to three times as long.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from predictor.boards.flash_interface import MOST_LINES, FlashTiming
from predictor.emulation.unicorn.access_trace import ItBlock, no_it_block
from predictor.emulation.unicorn.library import add_native_hook

if TYPE_CHECKING:
    from unicorn import Uc


class _Line(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint32),
        ("words", ctypes.c_uint32),
        ("used", ctypes.c_uint64),
    )


class _Cache(ctypes.Structure):
    _fields_ = (
        ("line_words", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("time", ctypes.c_uint64),
        ("lines", _Line * MOST_LINES),
    )


class _Waits(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint64), ("constants", ctypes.c_uint64))


class _FlashWaits(ctypes.Structure):
    _fields_ = (
        ("it_block", ItBlock),
        ("stop", ctypes.c_void_p),
        ("current", ctypes.c_void_p),
        ("cycles", ctypes.c_void_p),
        ("waits", ctypes.c_void_p),
        ("place_bytes", ctypes.c_uint32),
        ("base", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("word_bytes", ctypes.c_uint32),
        ("wait_states", ctypes.c_uint32),
        ("prefetches", ctypes.c_uint32),
        ("overlap", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("code", _Cache),
        ("constants", _Cache),
    )


class FlashWaits:
    """Counts from when it is made on, beside a counter of cycles that says what runs.

    Args:
        flash: the board's.
        overlap: cycles of a load that the next one hides, unless it is from another memory.
        stop, current, cycles: addresses in this process: what says that Unicorn stops, what says
            where the cycles of what runs are added up, and the first of these places.
        place_bytes, count: of these places.

    Raises:
        EmulationError: Unicorn refuses the hooks.
    """

    def __init__(
        self,
        engine: Uc,
        library: ctypes.CDLL,
        flash: FlashTiming,
        overlap: int,
        stop: int,
        current: int,
        cycles: int,
        place_bytes: int,
        count: int,
    ) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK, UC_HOOK_MEM_READ

        interface = flash.interface
        self._waits = (_Waits * count)()
        self._state = _FlashWaits(
            it_block=no_it_block(),
            stop=stop,
            current=current,
            cycles=cycles,
            waits=ctypes.addressof(self._waits),
            place_bytes=place_bytes,
            base=flash.base,
            bytes=flash.size_bytes,
            word_bytes=interface.word_bytes,
            wait_states=flash.wait_states,
            prefetches=interface.prefetches,
            overlap=overlap,
            code=_cache(interface.code_lines, interface.code_line_bytes, interface.word_bytes),
            constants=_cache(interface.data_lines, interface.data_line_bytes, interface.word_bytes),
        )
        state = ctypes.addressof(self._state)
        hooks = ((UC_HOOK_BLOCK, "flash_code_hook"), (UC_HOOK_MEM_READ, "flash_load_hook"))
        for kind, name in hooks:
            function = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            add_native_hook(engine, kind, function, state)

    def of_place(self, index: int) -> tuple[int, int]:
        """Cycles for code and for constants that belong to one of the places."""
        waits = self._waits[index]
        return waits.code, waits.constants


def _cache(lines: int, line_bytes: int, word_bytes: int) -> _Cache:
    return _Cache(line_words=line_bytes // word_bytes, count=lines, last=2**32 - 2)


def fits_library(library: ctypes.CDLL) -> bool:
    """Whether the extension module was built from these structures."""
    return int(library.flash_waits_bytes()) == ctypes.sizeof(_FlashWaits)
