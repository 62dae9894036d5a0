"""CCR.DIV_0_TRP: Unicorn divides by zero without a trap, so division sites are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.emulation.unicorn.memory_map import MemoryMap

if TYPE_CHECKING:
    from unicorn import Uc


def watch_divisions(engine: Uc, memory: MemoryMap, on_zero: Callable[[int], None]) -> None:
    """Calls ``on_zero`` with the address of each executed division by zero, before it runs.

    The sites are the half-words in executable memory that read as SDIV or UDIV; those that are
    not instructions are never reached. Instructions that an IT block skips do not count.
    """
    from unicorn.arm_const import UC_ARM_REG_R0, UC_ARM_REG_SP
    from unicorn.unicorn_const import UC_HOOK_CODE

    def check(engine: Uc, address: int, size_bytes: int, divisor: int) -> None:
        if engine.reg_read(divisor) == 0:
            on_zero(address)

    for address, register in _division_sites(memory):
        divisor = UC_ARM_REG_R0 + register if register < 13 else UC_ARM_REG_SP
        engine.hook_add(UC_HOOK_CODE, check, divisor, address, address)
    engine.ctl_flush_tb()


def _division_sites(memory: MemoryMap) -> Iterator[tuple[int, int]]:
    """Address and divisor register of each possible division. Encodings: A7.7.127, A7.7.195."""
    for item in memory.mapped:
        if not item.is_executable:
            continue
        words: Any = np.frombuffer(bytes(item.host), dtype="<u2")
        first, second = words[:-1], words[1:]
        is_division = ((first & 0xFFD0) == 0xFB90) & ((second & 0xF0F0) == 0xF0F0)
        for index in np.flatnonzero(is_division):
            yield item.memory.base + 2 * int(index), int(second[index]) & 15
