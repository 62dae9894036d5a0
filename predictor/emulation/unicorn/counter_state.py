"""What the counter of executed instructions keeps, as its hook in C reads and writes it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from predictor.records import dataclass

NO_DEADLINE = 2**64 - 1
NO_ADDRESS = 0xFFFFFFFF
NO_FUNCTION = 0xFFFF
MAX_DEPTH = 4096
MAX_REGIONS = 16
EDGE_SLOTS = 16384
MAX_UNWOUND = 8


class Stop(IntEnum):
    """Why the counter stopped the emulation before a block."""

    NONE = 0
    REQUESTED = 1
    DEADLINE = 2
    STACK = 3
    REFUSED = 4
    ADDRESS = 5


class CountedBlock(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_uint16),
        ("instructions", ctypes.c_uint16),
        ("function", ctypes.c_uint16),
        ("stack_words", ctypes.c_uint16),
        ("traits", ctypes.c_uint32),
    )


class NativeRegion(ctypes.Structure):
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
        ("unknown_block", CountedBlock),
        ("end_padding", ctypes.c_uint32),
        ("regions", NativeRegion * MAX_REGIONS),
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


class CounterTables:
    """The state of a counter and the tables beside it.

    Args:
        regions: where code may lie.
        function_starts: addresses of functions, ascending; a profile speaks of their indices.
        profile: keep instructions per function and per call edge.
    """

    def __init__(
        self, regions: Sequence[CodeRegion], function_starts: Sequence[int], profile: bool
    ) -> None:
        self.state = CounterState()
        self.regions = tuple(regions)
        self.function_starts = (ctypes.c_uint32 * len(function_starts))(*function_starts)
        self.functions = (Function * len(function_starts))()
        self.frames = (Frame * (MAX_DEPTH if profile else 0))()
        self.edges = (Edge * (EDGE_SLOTS if profile else 0))()
        self.is_profile = profile
