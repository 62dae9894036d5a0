"""Whether a file's memory plan is sound, and used with the kernels that it was made for."""

from __future__ import annotations

from predictor.escapes import printable
from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.model.metadata import read_plan_origin
from predictor.optimization.overlap import unsafe_overlaps


def plan_warnings(graph: Graph, report: ArenaReport) -> tuple[str, ...]:
    """Warns of plans whose overlaps the kernels do not allow, and of plans for other kernels.

    Args:
        graph: the user's model; ``report`` is the arena of it, or of its device model.
    """
    revision, found = report.prepared.revision, []
    lowest = min(report.buffers, key=lambda buffer: buffer.offset, default=None)
    if lowest is not None and lowest.offset < 0:
        found.append(
            f"results will be WRONG: its offline memory plan puts {printable(lowest.name)} at "
            f"{lowest.offset}, in front of the arena, and TFLM does not check that"
        )
    unsafe = unsafe_overlaps(report)
    if unsafe:
        first, second = unsafe[0]
        more = f" and {len(unsafe) - 1} more pairs" if len(unsafe) > 1 else ""
        found.append(
            f"results may be WRONG: its offline memory plan puts {printable(first.name)} and "
            f"{printable(second.name)}{more} over each other, and {revision.kernels} kernels are "
            "not known to read one before they write the other"
        )
    origin = read_plan_origin(graph.metadata)
    if origin is None or not origin.distances:
        return tuple(found)
    if (origin.kernels, origin.commit) != (revision.kernels, revision.commit):
        safe = "" if unsafe else ", whose tensors overlap only as far as these allow it, too"
        found.append(
            f"its memory plan was made for {origin.kernels} kernels of TFLM {origin.tflm}, not for "
            f"{revision.kernels} kernels of TFLM {revision.name}{safe}: optimise the original model"
            " for these"
        )
    return tuple(found)
