"""Metadata entries: the offline plan, which TFLM reads, and where it comes from, which we read."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from predictor.errors import UsageError
from predictor.kernel_sets import kernel_set_name
from predictor.records import dataclass

OFFLINE_PLAN = "OfflineMemoryAllocation"
"""Name of the entry with arena offsets that were planned ahead."""
ONLINE_PLANNED = -1
"""The offset that leaves a tensor to TFLM's planner (kOnlinePlannedBuffer)."""

PLAN_ORIGIN = "mcu_predictor.memory_plan"
"""Name of our entry beside an offline plan: for which kernels it was made."""

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


@dataclass(frozen=True, slots=True)
class PlanOrigin:
    """What an offline plan with overlapping buffers relies on.

    Attributes:
        kernels: the kernel set whose distances were used.
        tflm: name of the TFLM revision; ``commit`` is its commit.
        original_sha256: digest of the file before, empty where there was none.
        distances: for each operator whose output overlaps an input, by its index in the main
            subgraph: how many bytes below that input the output begins at least.
        steered: operators whose options were changed without effect on results, so that another
            kernel runs.
        order: for each operator of the main subgraph, its index in the original; with stripes, in
            the model before it got them.
        stripes: groups of operators that run in stripes of rows: the first, the one behind the
            last, and the number of stripes; operators as they were before.
    """

    kernels: str
    tflm: str
    commit: str
    original_sha256: str
    distances: Mapping[int, int]
    steered: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    stripes: tuple[tuple[int, int, int], ...] = ()


def plan_origin_bytes(origin: PlanOrigin) -> bytes:
    """The entry, as JSON."""
    content = {"version": _VERSION, **asdict(origin)}
    content["distances"] = [list(item) for item in sorted(origin.distances.items())]
    return json.dumps(content, separators=(",", ":")).encode()


def read_plan_origin(metadata: Mapping[str, memoryview]) -> PlanOrigin | None:
    """The entry of a model's metadata; None where it is missing or not readable."""
    raw = metadata.get(PLAN_ORIGIN)
    if raw is None:
        return None
    try:
        content = json.loads(bytes(raw))
        return PlanOrigin(
            kernels=kernel_set_name(str(content["kernels"])),
            tflm=str(content["tflm"]),
            commit=str(content["commit"]),
            original_sha256=str(content["original_sha256"]),
            distances={int(index): int(distance) for index, distance in content["distances"]},
            steered=tuple(int(index) for index in content["steered"]),
            order=tuple(int(index) for index in content["order"]),
            stripes=tuple(
                (int(start), int(stop), int(count))
                for start, stop, count in content.get("stripes", ())
            ),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
