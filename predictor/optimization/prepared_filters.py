"""Which depthwise filters are worth preparing: those whose scratch buffers raise the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from predictor.model.device.device_model import device_model, preparable
from predictor.model.device.options import PREPARED_BITS
from predictor.model.device.stream_group import Group
from predictor.model.graph import Graph
from predictor.optimization.optimizer import Optimized

Plan = Callable[[Graph], Optimized]
"""Optimises one form of the model."""


def with_prepared_filters(
    graph: Graph, plain: Optimized, plan: Plan, deadline: float, groups: Sequence[Group] = ()
) -> Optimized:
    """The smallest arena that prepared filters bring, with as few of them as it takes.

    A prepared filter takes about twice its flash, so those that do not lower the arena are left as
    they are: first with all of them, then without one after the other, the largest first.

    Args:
        graph: the model with builtin operators.
        plain: its device model without prepared filters, optimised.
        deadline: of ``time.monotonic()``, after which the filters stay as they then are.
        groups: of operators that run in rows, all of whose filters are prepared.
    """
    inside = {index for group in groups for index in group.operators}
    fixed = [index for index in preparable(graph) if index in inside]
    chosen = [index for index in preparable(graph) if index not in inside]
    if not chosen or plain.is_interrupted:
        return plain

    def planned(prepared: Sequence[int]) -> Optimized:
        return plan(device_model(graph, prepared=[*fixed, *prepared], groups=groups))

    best = planned(chosen)
    if not _is_lower(best, plain):
        return replace(plain, is_interrupted=best.is_interrupted)
    main = graph.main
    for index in sorted(chosen, key=lambda i: -main.tensors[main.operators[i].inputs[1]].elements):
        if best.is_interrupted or time.monotonic() > deadline:
            break
        fewer = [item for item in chosen if item != index]
        found = planned(fewer) if fewer else plain
        if not _is_lower(best, found):
            best, chosen = found, fewer
        elif found.is_interrupted:
            best = replace(best, is_interrupted=True)
    return best


def prepared_operators(graph: Graph) -> tuple[int, ...]:
    """Operators of the main subgraph of a device model that have a prepared filter."""
    ending = f"_W{PREPARED_BITS}"
    return tuple(
        op.index for op in graph.main.operators if op.is_custom and op.name.endswith(ending)
    )


def _is_lower(first: Optimized, second: Optimized) -> bool:
    return first.after.required_bytes < second.after.required_bytes
