"""Records when each byte of a memory is read and written while an emulated program runs.

Of each byte only the first and last read and write are kept, as ordinals of the accesses in a
segment of the run; that is what questions of overlap need, at a cost that does not grow with the
length of the run.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from predictor.emulation.unicorn.access_trace import ItBlock, MemoryHook, no_it_block
from predictor.emulation.unicorn.library import raise_callback_error
from predictor.records import dataclass

if TYPE_CHECKING:
    from unicorn import Uc

FIRST_READ, LAST_READ, FIRST_WRITE, LAST_WRITE = range(4)
"""Columns of an array of uses. Entries are ordinals of accesses, -1 where there was none."""
UNUSED = -1

Uses = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the watched memory whose uses are kept apart.

    An access belongs as a whole to the window in which its first byte lies. ``overrun_bytes``
    behind the window are recorded too, where such an access reaches beyond it.
    """

    offset: int
    size_bytes: int
    overrun_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Uses from one value of the marker to the next.

    ``uses`` has an array for each window, with a row for each byte (see FIRST_READ), those behind
    the window included. ``others`` is the array of the whole memory for accesses that begin in no
    window.
    """

    marker: int
    windows: tuple[Window, ...]
    uses: tuple[Uses, ...]
    others: Uses


SegmentLayout = Callable[[int], Sequence[Window] | None]
"""Disjoint windows for a value of the marker; None records nothing."""
SegmentConsumer = Callable[[Segment], None]


class _Window(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("uses", ctypes.c_void_p),
    )


class _Recorder(ctypes.Structure):
    _fields_ = (
        ("it_block", ItBlock),
        ("base", ctypes.c_uint32),
        ("ordinal", ctypes.c_uint32),
        ("owners", ctypes.c_void_p),
        ("windows", ctypes.c_void_p),
    )


class UseRecorder(MemoryHook):
    """Records uses of ``begin`` up to ``end`` and hands over each segment when it has ended.

    Args:
        marker: address of a word; each write to it starts a segment.
        layout: windows of the segment that the written value starts.
        consumer: takes the segments.
    """

    def __init__(
        self,
        engine: Uc,
        begin: int,
        end: int,
        marker: int,
        layout: SegmentLayout,
        consumer: SegmentConsumer,
    ) -> None:
        from unicorn.unicorn_const import UC_HOOK_MEM_WRITE

        self._size_bytes = end - begin
        self._layout = layout
        self._consumer = consumer
        self._state = _Recorder(it_block=no_it_block(), base=begin)
        self._owners = np.zeros(self._size_bytes, dtype=np.uint16)
        self._native: ctypes.Array[_Window] | None = None
        self._segment: Segment | None = None
        super().__init__(engine, begin, end, "accesses_use", self._state)
        self._marker_hook = engine.hook_add(
            UC_HOOK_MEM_WRITE, self._on_marker, None, marker, marker + 3
        )

    def remove(self) -> None:
        """Takes the hooks out and hands over the last segment; raises what a callback raised."""
        raise_callback_error(self._engine)
        self._end_segment()
        self._engine.hook_del(self._marker_hook)
        super().remove()

    def _on_marker(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, _: Any
    ) -> None:
        self._end_segment()
        marker = value & 0xFFFFFFFF
        windows = self._layout(marker)
        if windows is not None:
            self._start_segment(marker, windows)

    def _end_segment(self) -> None:
        self._state.owners = None
        segment, self._segment = self._segment, None
        if segment is not None:
            self._consumer(segment)

    def _start_segment(self, marker: int, windows: Sequence[Window]) -> None:
        spans = [(0, self._size_bytes)]
        spans += [(window.offset, window.size_bytes + window.overrun_bytes) for window in windows]
        arrays = [np.full((size, 4), UNUSED, dtype=np.int32) for _, size in spans]
        self._native = (_Window * len(spans))(
            *(
                _Window(offset, size, array.ctypes.data)
                for (offset, size), array in zip(spans, arrays, strict=True)
            )
        )
        self._owners[:] = 0
        for index, window in enumerate(windows, start=1):
            self._owners[window.offset : window.offset + window.size_bytes] = index
        self._segment = Segment(marker, tuple(windows), tuple(arrays[1:]), arrays[0])
        self._state.ordinal = 0
        self._state.windows = ctypes.addressof(self._native)
        self._state.owners = self._owners.ctypes.data

    def _on_access(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, _: Any
    ) -> None:
        from unicorn.unicorn_const import UC_MEM_WRITE

        state, segment = self._state, self._segment
        if segment is None:
            return
        offset = address - state.base
        index = int(self._owners[offset])
        begin = offset - (segment.windows[index - 1].offset if index else 0)
        array = segment.uses[index - 1] if index else segment.others
        touched = array[begin : begin + size_bytes]
        first, last = (FIRST_WRITE, LAST_WRITE) if kind == UC_MEM_WRITE else (FIRST_READ, LAST_READ)
        touched[:, last] = state.ordinal
        touched[touched[:, first] < 0, first] = state.ordinal
        state.ordinal += 1
