"""What of a group runs when, and how large that makes its line buffers.

Mirrors kernels/src/mn_stream.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from predictor.errors import ModelError
from predictor.model.device.options import PoolOptions, WeightedOptions
from predictor.model.device.stream_stage import Stage
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` rows of a stage's output, computed from rows ``begin`` to ``end`` of its inputs.

    ``padding`` rows lie above these; PAD may need none of its input. ``moved_bytes`` are moved in
    its line buffer before.
    """

    stage: int
    first: int
    count: int
    begin: int
    end: int
    padding: int
    moved_bytes: int


class _Progress:
    """A group that runs. Mirrors kernels/src/mn_stream.c."""

    def __init__(self, stages: Sequence[Stage], rows: int) -> None:
        self.stages = stages
        self._rows = rows
        self._guests = {
            stage.sources[0]: index for index, stage in enumerate(stages) if stage.front
        }
        self.base = [
            -stages[self._guests[index]].window[2] if index in self._guests else 0
            for index in range(len(stages))
        ]
        self.end = [0] * len(stages)
        self._windows = [stage.window for stage in stages]
        self._readers = readers_of(stages)

    def _rows_of(self, source: int) -> int:
        return self._rows if source < 0 else self.stages[source].rows

    def first_row(self, index: int) -> int:
        _, stride, padding = self._windows[index]
        return self.end[index] * stride - padding

    def last_row(self, index: int, source: int, count: int) -> int:
        reach, stride, _ = self._windows[index]
        last = self.first_row(index) + (count - 1) * stride + reach
        return min(last, self._rows_of(source))

    def count(self, index: int) -> int:
        stage = self.stages[index]
        return min(stage.step, stage.rows - self.end[index])

    def has_inputs(self, index: int, count: int) -> bool:
        return all(
            self.end[source] >= self.last_row(index, source, count)
            for source in self.stages[index].sources
            if source >= 0
        )

    def kept(self, index: int) -> int:
        """The first row of a stage's output that is still read."""
        kept = self.end[index]
        for reader in self._readers[index]:
            if self.end[reader] < self.stages[reader].rows:
                kept = min(kept, self.first_row(reader))
        return kept

    def held(self, index: int, count: int) -> int:
        """Rows that a line buffer has to hold when so many come to it."""
        kept = self.kept(index)
        return self.end[index] + count - (kept if index in self._guests else max(kept, 0))

    def room(self, index: int, count: int) -> int | None:
        """Bytes moved to make room, None where there is none."""
        stage, end = self.stages[index], self.end[index]
        guest = self._guests.get(index)
        if guest is not None and self.kept(guest) < self.end[guest]:
            return None
        moved = 0
        if end + count - self.base[index] > stage.slots:
            kept = self.kept(index)
            if kept > self.base[index]:
                self.base[index] = kept
                moved = (end - kept) * stage.row_bytes
        return moved if end + count - self.base[index] <= stage.slots else None

    def run(self, index: int, count: int, moved_bytes: int) -> Run:
        first, source = self.first_row(index), self.stages[index].sources[0]
        begin = min(max(first, 0), self._rows_of(source))
        end = max(begin, self.last_row(index, source, count))
        made = Run(index, self.end[index], count, begin, end, begin - first, moved_bytes)
        self.end[index] += count
        return made


def readers_of(stages: Sequence[Stage]) -> list[list[int]]:
    """For each stage those that read its output."""
    found: list[list[int]] = [[] for _ in stages]
    for index, stage in enumerate(stages):
        for source in set(stage.sources):
            if source >= 0:
                found[source].append(index)
    return found


def runs_of(stages: Sequence[Stage], rows: int) -> list[Run]:
    """What runs, in order: after each stage those behind it, then those before it that have their
    inputs and room.

    Raises:
        ModelError: a stage waits for ever.
    """
    state = _Progress(stages, rows)
    last = index = len(stages) - 1
    found = []
    waiting = 0
    while state.end[last] < stages[last].rows:
        if waiting > last:
            raise ModelError("the line buffers of a group are too small for its layers")
        count = state.count(index)
        moved = None
        if count > 0 and state.has_inputs(index, count):
            moved = state.room(index, count)
        if moved is None:
            index = index - 1 if index else last
            waiting += 1
            continue
        found.append(state.run(index, count, moved))
        index = min(index + 1, last)
        waiting = 0
    return found


def with_slots(stages: Sequence[Stage], rows: int) -> tuple[Stage, ...]:
    """The stages with the smallest line buffers: each layer runs only when another waits for it,
    and where its output is read at once, it lies in the line buffer that it reads."""
    own = _slots(stages, rows)
    guests = list(own)
    for index in range(len(own)):
        front = front_bytes(guests, index)
        guests[index] = replace(own[index], front=front or 0)
    shared = _slots(guests, rows)
    try:
        runs_of(shared, rows)
    except ModelError:
        return own
    return shared


def _slots(stages: Sequence[Stage], rows: int) -> tuple[Stage, ...]:
    wide = [replace(stage, slots=1 if stage.is_summed else stage.rows) for stage in stages]
    state = _Progress(wide, rows)
    slots = [0] * len(stages)

    def make(index: int, until: int) -> None:
        while state.end[index] < until:
            count = state.count(index)
            for source in wide[index].sources:
                if source >= 0:
                    make(source, state.last_row(index, source, count))
            slots[index] = max(slots[index], state.held(index, count))
            state.run(index, count, 0)

    make(len(stages) - 1, wide[-1].rows)
    slots[-1] = wide[-1].slots
    return tuple(
        replace(stage, slots=held or stage.step) for stage, held in zip(wide, slots, strict=True)
    )


def front_bytes(stages: Sequence[Stage], index: int) -> int | None:
    """How far before the rows that it reads the output of a stage has to begin, to lie in their
    line buffer; None where it may not. Mirrors ``mn_is_guest``."""
    stage, source = stages[index], stages[index].sources[0]
    options = stage.options
    is_windowed = isinstance(options, PoolOptions) or (
        isinstance(options, WeightedOptions) and options.operator == "DEPTHWISE_CONV_2D"
    )
    if not is_windowed or source < 0 or index + 1 == len(stages):
        return None
    assert isinstance(options, WeightedOptions | PoolOptions)
    bits = options.input_bits if isinstance(options, WeightedOptions) else options.bits
    readers = readers_of(stages)[source]
    host = stages[source]
    if bits != 8 or readers != [index] or host.front or stage.slots != stage.step:
        return None
    if stage.row_bytes > options.stride[0] * host.row_bytes:
        return None
    last, stride, padding = options.output_dims[2] - 1, options.stride[1], options.padding[1]
    inside = padding // stride
    ahead = (
        (x + 1) * options.output_dims[3] - max(0, x * stride - padding) * options.input_dims[3]
        for x in (min(inside, last), min(inside + 1, last), last)
    )
    return -(-max(ahead) // 4) * 4
