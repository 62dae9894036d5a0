"""Networks with a memory plan of their own: ``memory="optimized"``.

The plan hangs on shapes and kernels alone, so that the network of a search and its trained file
get the same one. See docs/howto/halve-arena.md for what such a plan is.
"""

from __future__ import annotations

import hashlib

from predictor.memory.revision import Revision
from predictor.model.graph import Graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.optimizer import optimize

_UNKNOWN_DIGEST = "0" * 64


def with_plan(graph: Graph, revision: Revision, digest: str = _UNKNOWN_DIGEST) -> Graph:
    """The graph with the smallest plan that its kernels allow, in its metadata.

    It stays as it is where TFLM's own plan takes no more. ``digest`` is the SHA-256 of the file
    without the plan, which the metadata names.
    """
    found = optimize(graph, revision, original_sha256=digest)
    return found.graph if found.is_better else graph


def planned_file(graph: Graph, revision: Revision) -> bytes:
    """The file of a trained network, with its plan."""
    digest = hashlib.sha256(write_model(graph)).hexdigest()
    return write_model(with_plan(graph, revision, digest))
