"""Networks with a memory plan of their own: ``memory="optimized"`` and ``memory="streamed"``.

The plan hangs on shapes and kernels alone, so that the network of a search and its trained file
get the same one. See docs/howto/halve-arena.md for what such a plan is, docs/optimize.md for layers
that run in rows.
"""

from __future__ import annotations

import hashlib
import time

from predictor.memory.arena import arena
from predictor.memory.revision import Revision
from predictor.model.graph import Graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.optimization import count_instructions, planned_smallest
from predictor.optimization.optimizer import Optimized, OptimizeOptions, optimize

OPTIMIZED, STREAMED = "optimized", "streamed"
PLANNED = (OPTIMIZED, STREAMED)
"""Memory models under which networks have a plan of their own."""
_UNKNOWN_DIGEST = "0" * 64


def with_plan(
    graph: Graph, revision: Revision, memory: str, digest: str = _UNKNOWN_DIGEST
) -> Graph:
    """The graph with the smallest plan that its kernels allow, in its metadata; with layers in rows
    where the memory model is "streamed".

    It stays as it is where TFLM's own plan takes no more, and where the memory model is none of
    ``PLANNED``. ``digest`` is the SHA-256 of the file without the plan, which the metadata names.
    """
    if memory not in PLANNED:
        return graph
    if memory == OPTIMIZED:
        found = optimize(graph, revision, original_sha256=digest)
    else:
        found = _in_rows(graph, revision, digest)
    return found.graph if found.is_better else graph


def planned_file(graph: Graph, revision: Revision, memory: str) -> bytes:
    """The file of a trained network, with its plan."""
    digest = hashlib.sha256(write_model(graph)).hexdigest()
    return write_model(with_plan(graph, revision, memory, digest))


def _in_rows(graph: Graph, revision: Revision, digest: str) -> Optimized:
    settings = OptimizeOptions(instructions=count_instructions)
    before, deadline = arena(graph, revision), time.monotonic() + settings.time_limit_s

    def plan(form: Graph) -> Optimized:
        return optimize(form, revision, settings, digest, before)

    return planned_smallest(graph, revision, settings, plan, deadline)
