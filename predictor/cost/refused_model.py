"""What is known of a model that TFLM refuses: the figures of the operators that it would prepare.

None of them is exact: whatever takes the place of the refused operators needs memory, too.
"""

from __future__ import annotations

from predictor.cost.op_count import layers, totals
from predictor.errors import ModelError, RefusedError
from predictor.memory.arena import replay
from predictor.memory.prepared import PreparedGraph
from predictor.records import dataclass
from predictor.semantics.execution import execution


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """Figures of the operators that TFLM would prepare, out of all that the model has.

    ``macs`` are of one inference, with the dearest branches; ``weight_bytes`` the constants that
    these operators read. ``planned_bytes`` is the height of TFLM's plan for all tensors, and
    ``persistent_bytes`` the tail, both without what refused operators would ask for; None where
    that cannot be planned.
    """

    prepared_operators: int
    operators: int
    macs: int
    other_ops: int
    weight_bytes: int
    planned_bytes: int | None
    persistent_bytes: int | None
    flatbuffer_bytes: int


def refused_model(error: RefusedError) -> RefusedModel | None:
    """The figures for the rest of a refused model, None where TFLM looks at no operator."""
    rest = error.rest
    if not isinstance(rest, PreparedGraph):
        return None
    rows = layers(rest)
    counts = totals(rows, execution(rest.graph))
    planned = persistent = None
    try:
        report = replay(rest)
        planned, persistent = report.nonpersistent_bytes, report.persistent_bytes
    except ModelError:
        pass  # its control flow or its own plan is wrong, too
    return RefusedModel(
        prepared_operators=len(rows),
        operators=sum(len(subgraph.operators) for subgraph in rest.graph.subgraphs),
        macs=counts.total_macs,
        other_ops=counts.total_other_ops,
        weight_bytes=sum(row.weight_bytes for row in rows),
        planned_bytes=planned,
        persistent_bytes=persistent,
        flatbuffer_bytes=rest.graph.flatbuffer_bytes,
    )
