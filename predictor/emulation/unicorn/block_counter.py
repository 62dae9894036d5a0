"""Counts executed instructions block by block, in C where the extension module was built.

Unicorn reports each block (a run of code without a branch inside) before it runs; the number of
its instructions follows from the code alone. Instructions that an IT block skips count like any
other: on the core they take their cycle, and Renode counts them too.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from predictor.emulation.unicorn.library import add_native_hook, function_address

if TYPE_CHECKING:
    from unicorn import Uc

NO_DEADLINE = 2**64 - 1
NO_ADDRESS = 0xFFFFFFFF
NO_FUNCTION = 0xFFFF
MAX_DEPTH = 4096
MAX_REGIONS = 16
EDGE_SLOTS = 16384
MAX_UNWOUND = 8
SLOW_NOTICE = (
    "instructions are counted in Python, some hundred times slower, because the extension module "
    "was not built; install a C compiler, then "
    "`pip install --force-reinstall --no-binary mcu-predictor mcu-predictor`"
)


class Stop(IntEnum):
    """Why the counter stopped the emulation before a block."""

    NONE = 0
    REQUESTED = 1
    DEADLINE = 2
    STACK = 3
    REFUSED = 4
    ADDRESS = 5


class _Block(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_uint16),
        ("instructions", ctypes.c_uint16),
        ("function", ctypes.c_uint16),
        ("stack_words", ctypes.c_uint16),
        ("traits", ctypes.c_uint32),
    )


class _Region(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("memory", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
    )


class Function(ctypes.Structure):
    """Instructions of one function: its own, and with all that it called."""

    self_instructions: int
    inclusive_instructions: int
    calls: int
    open_frames: int
    _fields_ = (
        ("self_instructions", ctypes.c_uint64),
        ("inclusive_instructions", ctypes.c_uint64),
        ("calls", ctypes.c_uint64),
        ("open_frames", ctypes.c_uint64),
    )


class Frame(ctypes.Structure):
    """One function on the call stack."""

    start_instructions: int
    return_address: int
    function: int
    is_tail_call: int
    _fields_ = (
        ("start_instructions", ctypes.c_uint64),
        ("return_address", ctypes.c_uint32),
        ("function", ctypes.c_uint32),
        ("is_tail_call", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
    )


class Edge(ctypes.Structure):
    """Calls from one function to another; ``key`` is 0 in a free slot."""

    key: int
    calls: int
    inclusive_instructions: int
    _fields_ = (
        ("key", ctypes.c_uint64),
        ("calls", ctypes.c_uint64),
        ("inclusive_instructions", ctypes.c_uint64),
    )


class CounterState(ctypes.Structure):
    """What the hook reads and writes; ``Counter`` in ``_blockcount.c``, field by field.

    ``instructions`` holds the current block whole; the emulation stops before a block once
    ``deadline`` were executed, or before the block at ``stop_address`` (unless it is the first
    one, if ``is_first_block`` says so: a run goes on from where the last one stopped). Set
    ``stop`` before any ``emu_stop``, or the block at which Unicorn then stops is counted without
    being executed.
    """

    instructions: int
    deadline: int
    block_address: int
    block_bytes: int
    previous_address: int
    previous_bytes: int
    stop: int
    stop_address: int
    is_first_block: int
    refused_traits: int
    stack_limit: int
    stack_lowest: int
    last_traits: int
    last_end: int
    last_function: int
    region_count: int
    function_count: int
    depth: int
    max_depth: int
    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("block_address", ctypes.c_uint32),
        ("block_bytes", ctypes.c_uint32),
        ("previous_address", ctypes.c_uint32),
        ("previous_bytes", ctypes.c_uint32),
        ("stop", ctypes.c_uint32),
        ("stop_address", ctypes.c_uint32),
        ("is_first_block", ctypes.c_uint32),
        ("refused_traits", ctypes.c_uint32),
        ("stack_limit", ctypes.c_uint32),
        ("stack_lowest", ctypes.c_uint32),
        ("last_traits", ctypes.c_uint32),
        ("last_end", ctypes.c_uint32),
        ("last_function", ctypes.c_uint32),
        ("region_count", ctypes.c_uint32),
        ("function_count", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("max_depth", ctypes.c_uint32),
        ("stack_register", ctypes.c_int32),
        ("padding", ctypes.c_uint32),
        ("emu_stop", ctypes.c_void_p),
        ("reg_read", ctypes.c_void_p),
        ("function_starts", ctypes.c_void_p),
        ("functions", ctypes.c_void_p),
        ("frames", ctypes.c_void_p),
        ("edges", ctypes.c_void_p),
        ("last_region", ctypes.c_void_p),
        ("unknown_block", _Block),
        ("end_padding", ctypes.c_uint32),
        ("regions", _Region * MAX_REGIONS),
    )


_stop_field: Any = CounterState.stop
STOP_OFFSET: int = _stop_field.offset
"""Where ``stop`` stands in the state, for hooks in C."""


@dataclass(frozen=True, slots=True)
class CodeRegion:
    """Memory that may hold code; ``is_fixed`` says that the code cannot change while it runs."""

    base: int
    size_bytes: int
    host_address: int
    is_fixed: bool


class BlockCounter:
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
        self.state = CounterState()
        self.regions = tuple(regions)
        self.function_starts = (ctypes.c_uint32 * len(function_starts))(*function_starts)
        self.functions = (Function * len(function_starts))()
        self.frames = (Frame * (MAX_DEPTH if profile else 0))()
        self.edges = (Edge * (EDGE_SLOTS if profile else 0))()
        self.is_profile = profile
        self._engine = engine
        self._blocks: list[ctypes.Array[_Block]] = []
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
            native = _Region(region.base, region.size_bytes, region.host_address, None)
            if region.is_fixed:
                blocks = (_Block * (region.size_bytes // 2))()
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
