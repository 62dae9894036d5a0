"""What of a group runs when, and how large that makes its line buffers.

Mirrors kernels/src/mn_stream.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from predictor.errors import ModelError
from predictor.model.device.options import PoolOptions, WeightedOptions
from predictor.model.device.stream_stage import LayerOptions, Stage, bits_of
from predictor.records import dataclass

_LEAST_FRONT = 4
"""Bytes; 0 would tell that a stage has a line buffer of its own."""


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` rows of a stage's output, computed from rows ``begin`` to ``end`` of its inputs.

    ``padding`` rows lie above these; PAD may need none of its input. ``moved_bytes`` are what was
    moved in line buffers before, each move by itself.
    """

    stage: int
    first: int
    count: int
    begin: int
    end: int
    padding: int
    moved_bytes: tuple[int, ...]


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
        self._moved: list[int] = []
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
        stage, end = self.stages[index], self.end[index]
        return min(stage.step if end else stage.start, stage.rows - end)

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

    def _is_clear(self, index: int) -> bool:
        """Whether no rows of the guests in a line buffer lie where its own rows do."""
        guest, before = self._guests.get(index), 0
        while guest is not None:
            stage = self.stages[guest]
            before += stage.front
            if (self.end[guest] - self.base[guest]) * stage.row_bytes > before:
                return False
            guest = self._guests.get(guest)
        return True

    def settle(self, index: int) -> bool:
        """Whether a stage may write: rows that nobody reads any more leave its line buffer."""
        if not self._is_clear(index):
            return False
        kept = self.kept(index)
        if kept > self.base[index]:
            self._moved.append((self.end[index] - kept) * self.stages[index].row_bytes)
            self.base[index] = kept
        return True

    def room(self, index: int, count: int) -> bool:
        stage, end = self.stages[index], self.end[index]
        is_full = end + count - self.base[index] > stage.slots
        if not (self.settle(index) if is_full else self._is_clear(index)):
            return False
        begin = (end - self.base[index]) * stage.row_bytes
        if stage.front and is_pixelwise(stage.options):
            source = stage.sources[0]
            read = (end - self.base[source]) * self.stages[source].row_bytes
            if begin > stage.front + read:
                return False
        return end + count - self.base[index] <= stage.slots

    def run(self, index: int, count: int) -> Run:
        first, source = self.first_row(index), self.stages[index].sources[0]
        begin = min(max(first, 0), self._rows_of(source))
        end = max(begin, self.last_row(index, source, count))
        moved = tuple(size for size in self._moved if size)
        made = Run(index, self.end[index], count, begin, end, begin - first, moved)
        self._moved.clear()
        self.end[index] += count
        return made


def is_pixelwise(options: LayerOptions) -> bool:
    """Whether a layer is a 1x1 convolution of neighbouring pixels, in one group."""
    return (
        isinstance(options, WeightedOptions)
        and options.operator == "CONV_2D"
        and options.filter_dims[1:] == (1, 1, options.input_dims[3])
        and options.input_dims[:3] == options.output_dims[:3]
        and (options.stride, options.padding) == ((1, 1), (0, 0))
    )


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
        if count <= 0 or not state.has_inputs(index, count) or not state.room(index, count):
            if stages[index].front:
                state.settle(index)
            index = index - 1 if index else last
            waiting += 1
            continue
        found.append(state.run(index, count))
        index = min(index + 1, last)
        waiting = 0
    return found


def with_slots(stages: Sequence[Stage], rows: int) -> tuple[Stage, ...]:
    """The stages with the smallest line buffers: each layer runs only when another waits for it,
    and where its output is read at once, it lies in the line buffer that it reads. So does that of
    a 1x1 convolution, whose rows that are kept come to lie before what it reads."""
    started = _with_starts(stages)
    own, _ = _slots(started, rows)
    for is_chained in (True, False):
        shared = _with_guests(own, rows, is_chained)
        try:
            runs_of(shared, rows)
        except ModelError:
            continue
        return shared
    return own


def _with_guests(own: Sequence[Stage], rows: int, is_chained: bool) -> tuple[Stage, ...]:
    """The stages, some of whose outputs lie in the line buffers that they read.

    Args:
        is_chained: whether those of 1x1 convolutions may.
    """
    guests = list(own)
    for index, stage in enumerate(own):
        front = front_bytes(guests, index)
        if front is not None and (is_chained or not is_pixelwise(stage.options)):
            guests[index] = replace(stage, front=max(_LEAST_FRONT, front))
    while True:
        shared, before = _slots(guests, rows)
        # The guest of a guest may make it hold more rows than it may.
        refused = [
            index
            for index, stage in enumerate(shared)
            if stage.front and front_bytes(shared, index) is None
        ]
        if not refused:
            break
        guests[refused[0]] = replace(guests[refused[0]], front=0)
    for index, stage in enumerate(guests):
        if stage.front and is_pixelwise(stage.options):
            kept_bytes = -(-before[index] * stage.row_bytes // 4) * 4
            guests[index] = replace(stage, front=max(_LEAST_FRONT, kept_bytes))
    return _slots(guests, rows)[0]


def _with_starts(stages: Sequence[Stage]) -> list[Stage]:
    """The stages with first runs after which each has just the rows that the next one reads."""
    readers = readers_of(stages)
    found = list(stages)
    for index in range(len(stages) - 1, -1, -1):
        stage = stages[index]
        start = stage.step
        reader = found[readers[index][0]] if readers[index] else None
        if reader is not None and not reader.is_summed:
            reach, stride, padding = reader.window
            if reader.step * stride == stage.step:
                needed = (reader.start - 1) * stride + reach - padding
                start = (needed - 1) % stage.step + 1
        found[index] = replace(stage, start=start)
    return found


def _slots(stages: Sequence[Stage], rows: int) -> tuple[tuple[Stage, ...], list[int]]:
    """The stages with their line buffers, and how many rows at most these hold before a run."""
    wide = [replace(stage, slots=1 if stage.is_summed else stage.rows) for stage in stages]
    state = _Progress(wide, rows)
    slots, before = [0] * len(stages), [0] * len(stages)

    def make(index: int, until: int) -> None:
        while state.end[index] < until:
            count = state.count(index)
            for source in wide[index].sources:
                if source >= 0:
                    make(source, state.last_row(index, source, count))
            held = state.held(index, count)
            slots[index] = max(slots[index], held)
            before[index] = max(before[index], held - count)
            state.run(index, count)

    make(len(stages) - 1, wide[-1].rows)
    slots[-1] = wide[-1].slots
    found = tuple(
        replace(stage, slots=held or stage.step) for stage, held in zip(wide, slots, strict=True)
    )
    return found, before


def front_bytes(stages: Sequence[Stage], index: int) -> int | None:
    """How far before the output that it reads that of a stage has to begin at least, to lie in the
    same line buffer; None where it may not. Mirrors ``mn_is_guest``."""
    stage, source = stages[index], stages[index].sources[0]
    options = stage.options
    if source < 0 or index + 1 == len(stages) or bits_of(options) != 8:
        return None
    host = stages[source]
    if readers_of(stages)[source] != [index]:
        return None
    if is_pixelwise(options):
        return 0 if stage.row_bytes <= host.row_bytes else None
    is_windowed = isinstance(options, PoolOptions) or (
        isinstance(options, WeightedOptions) and options.operator == "DEPTHWISE_CONV_2D"
    )
    if not is_windowed or stage.slots != stage.step:
        return None
    assert isinstance(options, WeightedOptions | PoolOptions)
    if stage.row_bytes > options.stride[0] * host.row_bytes:
        return None
    last, stride, padding = options.output_dims[2] - 1, options.stride[1], options.padding[1]
    inside = padding // stride
    ahead = (
        (x + 1) * options.output_dims[3] - max(0, x * stride - padding) * options.input_dims[3]
        for x in (min(inside, last), min(inside + 1, last), last)
    )
    return -(-max(ahead) // 4) * 4
