"""Metadata entries that TFLM reads."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from predictor.errors import UsageError

OFFLINE_PLAN = "OfflineMemoryAllocation"
"""Name of the entry with arena offsets that were planned ahead."""
ONLINE_PLANNED = -1
"""The offset that leaves a tensor to TFLM's planner (kOnlinePlannedBuffer)."""

_VERSION = 1
_SUBGRAPH = 0
_INT32_MAX = 2**31 - 1


def offline_plan_bytes(offsets: Sequence[int]) -> bytes:
    """The entry for one offset per tensor, all subgraphs in order.

    Offsets are bytes from the start of the arena's head, or ``ONLINE_PLANNED``. The layout is
    that of ``AllocationInfoBuilder::GetOfflinePlannedOffsets``: version, subgraph (unused) and
    count as uint32, then int32 offsets.

    Raises:
        UsageError: an offset is negative or beyond 32 bits.
    """
    for offset in offsets:
        if offset != ONLINE_PLANNED and not 0 <= offset <= _INT32_MAX:
            raise UsageError(f"{offset} is no arena offset; give bytes from 0 on")
    return struct.pack(f"<3I{len(offsets)}i", _VERSION, _SUBGRAPH, len(offsets), *offsets)
