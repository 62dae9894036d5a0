"""Operations per layer and per model.

As in the paper (section 3.3), 1 MAC counts as 2 ops; other operations are counted apart.
"""

from __future__ import annotations

from collections import Counter

from predictor.memory.prepared import PreparedGraph, PreparedNode
from predictor.operators.context import PERSISTENT
from predictor.records import dataclass
from predictor.semantics.execution import Execution, Part, price


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator: its work and what it holds in flash and arena.

    ``weight_bytes``: constants it reads from flash. ``persistent_bytes``: what its kernel asks
    for in the arena's tail. ``scratch_bytes``: its scratch buffers, alive while it runs.
    """

    index: int
    subgraph_index: int
    operator: str
    output_name: str
    output_shape: tuple[int, ...]
    output_type: str
    macs: int
    other_ops: int
    weight_bytes: int
    persistent_bytes: int
    scratch_bytes: int


@dataclass(frozen=True, slots=True)
class OperatorTotal:
    """All operators of one kind together."""

    count: int
    macs: int
    other_ops: int


@dataclass(frozen=True, slots=True)
class OpCountReport:
    """Operations of one inference.

    ``total_ops`` is 2 x ``total_macs``; ``total_other_ops`` are not MACs and not in it. Where
    branches differ, these are of the dearest and ``least_macs`` of the cheapest; loops of unknown
    length run no round, and ``is_open`` then says whether a round has MACs.
    """

    total_macs: int
    total_other_ops: int
    by_operator: dict[str, OperatorTotal]
    least_macs: int
    is_open: bool

    @property
    def total_ops(self) -> int:
        return 2 * self.total_macs


def layers(prepared: PreparedGraph) -> tuple[Layer, ...]:
    """One row per operator, in the order of the file."""
    return tuple(_layer(node) for node in prepared.nodes)


def _layer(node: PreparedNode) -> Layer:
    context, op = node.context, node.context.op
    count = node.row.count(context)
    output = context.output(0)
    tensors = context.subgraph.tensors
    weight_bytes = 0
    for index in op.inputs:
        if index >= 0:
            weight_bytes += tensors[index].stored_data_bytes
    persistent = 0
    for requests in (node.init_requests, node.prepare_requests):
        for kind, size, _ in requests:
            if kind == PERSISTENT:
                persistent += size
    return Layer(
        index=op.index,
        subgraph_index=context.subgraph.index,
        operator=op.label,
        output_name="" if output is None else output.name,
        output_shape=() if output is None else context.shape(output),
        output_type="" if output is None else output.type.name.lower(),
        macs=count.macs,
        other_ops=count.other_ops,
        weight_bytes=weight_bytes,
        persistent_bytes=persistent,
        scratch_bytes=sum(context.scratch_bytes),
    )


def totals(rows: tuple[Layer, ...], runs: Execution) -> OpCountReport:
    """Sums layers by operator, the heaviest first, as often as they run in an inference."""
    macs = Counter[int]()
    for row in rows:
        macs[row.subgraph_index] += row.macs

    def cost(part: Part) -> float:
        return macs[part[0]] if part[1] is None else 0

    path = runs.each.path(cost, max)
    sums: dict[str, list[int]] = {}
    for row in rows:
        entry = sums.setdefault(row.operator, [0, 0, 0])
        times = path[row.subgraph_index, None]
        entry[0] += 1
        entry[1] += times * row.macs
        entry[2] += times * row.other_ops
    ordered = sorted(sums.items(), key=lambda item: (-item[1][1], -item[1][2], item[0]))
    in_rounds = {part for each in runs.each.open_loops().values() for part in each.touched()}
    return OpCountReport(
        total_macs=sum(entry[1] for entry in sums.values()),
        total_other_ops=sum(entry[2] for entry in sums.values()),
        by_operator={name: OperatorTotal(*entry) for name, entry in ordered},
        least_macs=round(price(runs.each.path(cost, min), cost)),
        is_open=not runs.is_followed or any(cost(part) for part in in_rounds),
    )
