"""Counts executed instructions block by block, in C where the extension module was built.

Unicorn reports each block (a run of code without a branch inside) before it runs; the number of
its instructions follows from the code alone. Instructions that an IT block skips count like any
other: on the core they take their cycle, and Renode counts them too.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from predictor.emulation.unicorn.counter_state import (
    NO_ADDRESS,
    NO_DEADLINE,
    NO_FUNCTION,
    CodeRegion,
    CountedBlock,
    CounterState,
    CounterTables,
    NativeRegion,
    Stop,
)
from predictor.emulation.unicorn.library import add_native_hook, function_address
from predictor.install import install_command

if TYPE_CHECKING:
    from unicorn import Uc

SLOW_NOTICE = (
    "instructions are counted in Python, some hundred times slower, because the extension module "
    f"was not built; install a C compiler, then {install_command()}"
)


class BlockCounter(CounterTables):
    """Counter of one machine.

    Args:
        engine: the Unicorn instance, with nothing translated yet.
        regions: where code may lie.
        function_starts: addresses of functions, ascending; a profile speaks of their indices.
        profile: keep instructions per function and per call edge.
    """

    def __init__(
        self,
        engine: Uc,
        regions: Sequence[CodeRegion],
        function_starts: Sequence[int],
        profile: bool,
    ) -> None:
        super().__init__(regions, function_starts, profile)
        self._engine = engine
        self._blocks: list[ctypes.Array[CountedBlock]] = []
        self._fill_state()
        self.is_native = self._attach()
        self.reset()

    def reset(self) -> None:
        """Back to the state before the first instruction."""
        state = self.state
        state.instructions = state.block_address = state.block_bytes = 0
        state.previous_address = state.previous_bytes = 0
        state.deadline = NO_DEADLINE
        state.stop = Stop.NONE
        state.stop_address = NO_ADDRESS
        state.stack_lowest = 0xFFFFFFFF
        state.last_traits = state.last_end = state.depth = 0
        state.last_function = NO_FUNCTION
        for table in (self.functions, self.edges):
            ctypes.memset(table, 0, ctypes.sizeof(table))

    @property
    def block_end(self) -> int:
        """Address behind the current block."""
        return self.state.block_address + self.state.block_bytes

    def _fill_state(self) -> None:
        from unicorn.arm_const import UC_ARM_REG_SP

        state = self.state
        state.stack_register = UC_ARM_REG_SP
        state.emu_stop = function_address("uc_emu_stop")
        state.reg_read = function_address("uc_reg_read")
        state.function_count = len(self.functions)
        state.max_depth = len(self.frames)
        for name in ("function_starts", "functions", "frames", "edges"):
            setattr(state, name, ctypes.addressof(getattr(self, name)))
        state.region_count = len(self.regions)
        for index, region in enumerate(self.regions):
            native = NativeRegion(region.base, region.size_bytes, region.host_address, None)
            if region.is_fixed:
                blocks = (CountedBlock * (region.size_bytes // 2))()
                self._blocks.append(blocks)
                native.blocks = ctypes.addressof(blocks)
            state.regions[index] = native

    def _attach(self) -> bool:
        """Installs the hook; says whether it is the one in C."""
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        library = native_library()
        if library is None:
            from predictor.emulation.unicorn.block_counter_python import PythonHook

            self._engine.hook_add(UC_HOOK_BLOCK, PythonHook(self))
            return False
        name = "blockcount_profile_hook" if self.is_profile else "blockcount_hook"
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        assert address is not None  # a function that was found has an address
        add_native_hook(self._engine, UC_HOOK_BLOCK, address, ctypes.addressof(self.state))
        return True


def native_library() -> ctypes.CDLL | None:
    """The extension module as a C library, or None where it was not built."""
    try:
        module = importlib.import_module("predictor.emulation.unicorn._blockcount")
    except ImportError:
        return None
    if ctypes.sizeof(CounterState) != module.COUNTER_BYTES:
        return None  # built from an older source
    return ctypes.CDLL(module.__file__)
