"""The block hook in Python, for installations without a C compiler; mirrors ``_blockcount.c``."""

from __future__ import annotations

import bisect
import ctypes
from typing import TYPE_CHECKING, Any

from predictor.emulation.unicorn.counter_state import (
    EDGE_SLOTS,
    MAX_UNWOUND,
    NO_FUNCTION,
    CounterTables,
    Stop,
)
from predictor.emulation.unicorn.thumb import Block, Trait, decode_block

if TYPE_CHECKING:
    from unicorn import Uc


class PythonHook:
    """Callback for ``UC_HOOK_BLOCK`` that works on the state of a counter."""

    def __init__(self, counter: CounterTables) -> None:
        self._counter = counter
        self._state = counter.state
        self._starts = list(counter.function_starts)
        self._known: dict[tuple[int, int], Block] = {}

    def __call__(self, engine: Uc, address: int, size_bytes: int, _: Any) -> None:
        before = self._state.instructions
        block = self._count(engine, address, size_bytes)
        if block is None or not self._counter.is_profile:
            return
        state = self._state
        function = bisect.bisect_right(self._starts, address) - 1
        function = NO_FUNCTION if function < 0 else function
        self._follow_call(address, function, before)
        if function != NO_FUNCTION:
            self._counter.functions[function].self_instructions += block.instructions
        state.last_traits = block.traits
        state.last_end = address + size_bytes
        state.last_function = function

    def _count(self, engine: Uc, address: int, size_bytes: int) -> Block | None:
        """Counts a block; None where the emulation stops before it."""
        state = self._state
        if state.stop != Stop.NONE:
            return None
        block = self._block(address, size_bytes)
        reason = self._reason_to_stop(engine, block, address)
        if reason == Stop.NONE:
            state.previous_address, state.previous_bytes = state.block_address, state.block_bytes
        if reason in (Stop.NONE, Stop.REFUSED):
            state.block_address, state.block_bytes = address, size_bytes
        if reason != Stop.NONE:
            state.stop = reason
            engine.emu_stop()
            return None
        state.is_first_block = 0
        state.instructions += block.instructions
        return block

    def _reason_to_stop(self, engine: Uc, block: Block, address: int) -> Stop:
        state = self._state
        if state.instructions >= state.deadline:
            return Stop.DEADLINE
        if address == state.stop_address and not state.is_first_block:
            return Stop.ADDRESS
        if block.traits & state.refused_traits:
            return Stop.REFUSED
        if block.stack_bytes:
            lowest = max(engine.reg_read(state.stack_register) - block.stack_bytes, 0)
            if lowest < state.stack_limit:
                return Stop.STACK
            state.stack_lowest = min(state.stack_lowest, lowest)
        return Stop.NONE

    def _block(self, address: int, size_bytes: int) -> Block:
        key = (address, size_bytes)
        known = self._known.get(key)
        if known is not None:
            return known
        for region in self._counter.regions:
            offset = address - region.base
            if offset >= 0 and offset + size_bytes <= region.size_bytes:
                block = decode_block(ctypes.string_at(region.host_address + offset, size_bytes))
                if region.is_fixed:
                    self._known[key] = block
                return block
        return Block(0, 0, Trait(0))

    def _follow_call(self, address: int, function: int, now: int) -> None:
        state, frames = self._state, self._counter.frames
        top = frames[state.depth - 1] if state.depth else None
        if top is None:
            self._push(function, 0, False, now)
        elif state.last_traits & Trait.CALL and address != state.last_end:
            self._push(function, state.last_end, False, now)
        elif state.last_traits & Trait.JUMP and (depth := self._depth_of_return(address)):
            while state.depth > depth:
                self._pop(now)
            while state.depth and frames[state.depth - 1].is_tail_call:
                self._pop(now)
            if state.depth:
                self._pop(now)
        elif self._arrives(function, address):
            self._push(function, top.return_address, True, now)

    def _depth_of_return(self, address: int) -> int:
        """Frames up to the one that returns to an address, 0 if none of the innermost does."""
        state, frames = self._state, self._counter.frames
        innermost = range(state.depth, max(state.depth - MAX_UNWOUND, 0), -1)
        return next((d for d in innermost if frames[d - 1].return_address == address), 0)

    def _arrives(self, function: int, address: int) -> bool:
        """Whether this is the first instruction of another function than the last block's."""
        is_other = function not in (NO_FUNCTION, self._state.last_function)
        return is_other and self._starts[function] == address

    def _push(self, function: int, return_address: int, is_tail_call: bool, now: int) -> None:
        state = self._state
        if state.depth >= state.max_depth or function == NO_FUNCTION:
            return
        frame = self._counter.frames[state.depth]
        state.depth += 1
        frame.start_instructions, frame.return_address = now, return_address
        frame.function, frame.is_tail_call = function, is_tail_call
        self._counter.functions[function].calls += 1
        self._counter.functions[function].open_frames += 1

    def _pop(self, now: int) -> None:
        state, frames = self._state, self._counter.frames
        state.depth -= 1
        frame = frames[state.depth]
        function = self._counter.functions[frame.function]
        function.open_frames -= 1
        spent = now - frame.start_instructions if function.open_frames == 0 else 0
        function.inclusive_instructions += spent
        caller = frames[state.depth - 1].function if state.depth else NO_FUNCTION
        key = (caller << 32 | frame.function) + 1
        slot = key % EDGE_SLOTS
        while self._counter.edges[slot].key not in (0, key):
            slot = (slot + 1) % EDGE_SLOTS
        edge = self._counter.edges[slot]
        edge.key = key
        edge.calls += 1
        edge.inclusive_instructions += spent
