"""Adds up the clock cycles of an emulated program by its core's pipeline.

The hook in C gives each block of code its cycles once and adds them where the operator that runs
keeps its own; ``_pipeline_timing.c`` is the model. It sees the instructions that are executed, not
the addresses that they load from: waits of the flash are counted beside it, where they are asked
for.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from predictor.boards.flash_interface import FlashTiming
from predictor.cores.pipeline import Pipeline
from predictor.emulation.cycles import Cycles, FlashCycles
from predictor.emulation.unicorn.counter_state import MAX_REGIONS, STOP_OFFSET, CodeRegion
from predictor.emulation.unicorn.flash_waits import FlashWaits, fits_library
from predictor.emulation.unicorn.library import add_native_hook

if TYPE_CHECKING:
    from unicorn import Uc

    from predictor.emulation.unicorn.block_counter import BlockCounter


class _Pipeline(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int32) for name in Pipeline.__dataclass_fields__)


class _Timing(ctypes.Structure):
    _fields_ = (
        ("parts", ctypes.c_uint16 * 4),
        ("leaving", ctypes.c_uint16),
        ("is_guessed", ctypes.c_uint16),
    )


class _Block(ctypes.Structure):
    _fields_ = (
        ("timing", _Timing),
        ("bytes", ctypes.c_uint16),
        ("guess", ctypes.c_uint8),
        ("is_unaligned", ctypes.c_uint8),
    )


class _Region(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("memory", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
    )


class _Cycles(ctypes.Structure):
    _fields_ = (("parts", ctypes.c_uint64 * 4),)


class _Counter(ctypes.Structure):
    _fields_ = (
        ("pipeline", _Pipeline),
        ("stop", ctypes.c_void_p),
        ("marker", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("cycles", ctypes.c_void_p),
        ("current", ctypes.c_void_p),
        ("last_region", ctypes.c_void_p),
        ("previous", ctypes.c_void_p),
        ("unknown", ctypes.c_uint64),
        ("previous_end", ctypes.c_uint32),
        ("running", ctypes.c_uint32),
        ("subgraphs", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("region_count", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("passing", _Block),
        ("regions", _Region * MAX_REGIONS),
    )


class PipelineCounter:
    """Counts from when it is made on.

    Args:
        pipeline: of the core.
        counter: the machine's counter of instructions, which says when Unicorn stops.
        regions: where code may lie.
        marker_address: in this process, of the word in which the program says what runs: 0 and 1
            for what is no operator, else the number of a subgraph, from one, above an operator's.
        operators: how many each subgraph has.
        flash: of the board, to count what the core waits for it.

    Raises:
        EmulationError: Unicorn refuses the hook.
    """

    def __init__(
        self,
        engine: Uc,
        pipeline: Pipeline,
        counter: BlockCounter,
        regions: Sequence[CodeRegion],
        marker_address: int,
        operators: Sequence[int],
        flash: FlashTiming | None = None,
    ) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        library = native_library()
        assert library is not None  # callers ask first
        self._starts = [1, *(1 + end for end in accumulate(operators))]
        self._first = (ctypes.c_uint32 * len(self._starts))(*self._starts)
        self._cycles = (_Cycles * self._starts[-1])()
        self._blocks: list[ctypes.Array[_Block]] = []
        self._state = _Counter(
            pipeline=_native(pipeline),
            stop=ctypes.addressof(counter.state) + STOP_OFFSET,
            marker=marker_address,
            first=ctypes.addressof(self._first),
            cycles=ctypes.addressof(self._cycles),
            current=ctypes.addressof(self._cycles),
            subgraphs=len(operators),
            count=self._starts[-1],
        )
        self._add_regions(regions)
        address = ctypes.cast(library.pipeline_hook, ctypes.c_void_p).value
        assert address is not None  # a function that was found has an address
        add_native_hook(engine, UC_HOOK_BLOCK, address, ctypes.addressof(self._state))
        self._flash: FlashWaits | None = None
        if flash is not None:
            self._flash = self._flash_waits(engine, library, flash, pipeline)

    def _flash_waits(
        self, engine: Uc, library: ctypes.CDLL, flash: FlashTiming, pipeline: Pipeline
    ) -> FlashWaits:
        return FlashWaits(
            engine,
            library,
            flash,
            pipeline.load_overlap,
            self._state.stop,
            ctypes.addressof(self._state) + _Counter.current.offset,
            self._state.cycles,
            ctypes.sizeof(_Cycles),
            self._state.count,
        )

    def _add_regions(self, regions: Sequence[CodeRegion]) -> None:
        self._state.region_count = len(regions)
        for index, region in enumerate(regions):
            native = _Region(region.base, region.size_bytes, region.host_address, None)
            if region.is_fixed:
                blocks = (_Block * (region.size_bytes // 2))()
                self._blocks.append(blocks)
                native.blocks = ctypes.addressof(blocks)
            self._state.regions[index] = native

    def of_operator(self, subgraph: int, index: int) -> Cycles:
        """Cycles of one operator, over all its calls, without those that it called."""
        place = self._starts[subgraph] + index
        flash = None if self._flash is None else FlashCycles(*self._flash.of_place(place))
        issue, memory, arithmetic, branch = self._cycles[place].parts
        return Cycles(issue, memory, arithmetic, branch, flash)


def sequence_cycles(pipeline: Pipeline, code: bytes, repeats: bool = False) -> tuple[int, int]:
    """Cycles of a piece of code, and those more where its last branch goes elsewhere.

    Args:
        repeats: it follows itself, as the body of a loop does.
    """
    library = native_library()
    assert library is not None  # callers ask first
    leaving = ctypes.c_uint32()
    cycles = library.pipeline_cycles(
        ctypes.byref(_native(pipeline)), code, len(code), repeats, ctypes.byref(leaving)
    )
    return int(cycles), leaving.value


def _native(pipeline: Pipeline) -> _Pipeline:
    return _Pipeline(*(getattr(pipeline, name) for name in Pipeline.__dataclass_fields__))


def has_pipeline_counter() -> bool:
    """Whether the extension module was built."""
    return native_library() is not None


def native_library() -> ctypes.CDLL | None:
    """The extension module as a C library, or None where it was not built."""
    try:
        module = importlib.import_module("predictor.emulation.unicorn._pipeline")
    except ImportError:
        return None
    if ctypes.sizeof(_Counter) != module.COUNTER_BYTES:
        return None  # built from an older source
    library = ctypes.CDLL(module.__file__)
    return library if fits_library(library) else None
