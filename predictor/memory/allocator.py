"""TFLM's arena allocator, replayed without an arena.

Mirrors ``SingleArenaBufferAllocator``: persistent memory grows down from the tail, the head holds
one resizable buffer, temporary memory stands above it. Instead of failing, the replay notes how
large the arena must be for each step to succeed.
"""

from __future__ import annotations

from collections.abc import Iterable

from predictor.operators.context import PERSISTENT, Request
from predictor.operators.sizes import align_up

PersistentAllocation = tuple[str, int, int, int]
"""One request to the tail: kind, bytes, alignment, and for how many objects at once."""


class ArenaAllocator:
    """Replays allocations and keeps the smallest arena with which all of them succeed.

    Offsets count from a 16-byte-aligned start (head) and end (tail) of the arena. ``temp``
    is where temporary memory ends, which is ``head`` where there is none.

    ``nonpersistent_required_bytes`` is what head and temporary memory take at most, which is the
    smallest non-persistent arena where persistent memory has an arena of its own.

    The size kept is the safe one: TFLM checks persistent requests against the head alone, so an
    arena that is a few bytes smaller may pass although a persistent buffer overwrites live
    temporary memory.
    """

    __slots__ = (
        "_log",
        "alignment",
        "head",
        "nonpersistent_required_bytes",
        "required_bytes",
        "tail",
        "temp",
    )

    def __init__(self, alignment: int) -> None:
        self.alignment = alignment
        self.head = 0
        self.temp = 0
        self.tail = 0
        self.required_bytes = 0
        self.nonpersistent_required_bytes = 0
        self._log: list[PersistentAllocation] = []

    @property
    def persistent_log(self) -> tuple[PersistentAllocation, ...]:
        return tuple(self._log)

    def persistent(self, kind: str, size_bytes: int, alignment: int, count: int = 1) -> None:
        """``AllocatePersistentBuffer`` for ``count`` objects of together ``size_bytes``."""
        self.tail = -(-(self.tail + size_bytes) // alignment) * alignment
        self._log.append((kind, size_bytes, alignment, count))
        if self.temp + self.tail > self.required_bytes:
            self.required_bytes = self.temp + self.tail

    def temporary(self, size_bytes: int, alignment: int) -> None:
        """``AllocateTemp``."""
        self.temp = -(-self.temp // alignment) * alignment + size_bytes
        self._raised()

    def requests(self, kind: str, requests: Iterable[Request]) -> None:
        """What an operator's Init or Prepare asks for, in order; ``kind`` is of what persists.

        As :meth:`persistent` and :meth:`temporary` one by one, in less time, of alignments that
        are powers of 2.
        """
        tail, temp, required = self.tail, self.temp, self.required_bytes
        highest = self.nonpersistent_required_bytes
        log = self._log
        for memory, size_bytes, alignment in requests:
            if memory == PERSISTENT:
                tail = tail + size_bytes + alignment - 1 & -alignment
                log.append((kind, size_bytes, alignment, 1))
            else:
                temp = (temp + alignment - 1 & -alignment) + size_bytes
                if temp > highest:
                    highest = temp
            if temp + tail > required:
                required = temp + tail
        self.tail, self.temp, self.required_bytes = tail, temp, required
        self.nonpersistent_required_bytes = highest

    def reset_temporary(self) -> None:
        """``ResetTempAllocations``."""
        self.temp = self.head

    def resize_head(self, size_bytes: int) -> None:
        """``ResizeBuffer`` and ``ReserveNonPersistentOverlayMemory``: the head starts at 0."""
        self.head = self.temp = size_bytes
        self._raised()

    def plan_with(self, workspace_bytes: int) -> None:
        """The planner takes all memory that is left and must find its workspace in it."""
        top = align_up(self.temp, self.alignment) + workspace_bytes
        end = align_up(self.tail, self.alignment)
        self.required_bytes = max(self.required_bytes, top + end)
        self.nonpersistent_required_bytes = max(self.nonpersistent_required_bytes, top)

    def need(self, size_bytes: int) -> None:
        """The next step takes an arena of so many bytes at least."""
        self.required_bytes = max(self.required_bytes, size_bytes)

    def _raised(self) -> None:
        if self.temp > self.nonpersistent_required_bytes:
            self.nonpersistent_required_bytes = self.temp
        if self.temp + self.tail > self.required_bytes:
            self.required_bytes = self.temp + self.tail
