"""The same network without channels that never change and operators that change nothing.

The result is an ordinary graph whose outputs equal the first one's to the bit, on every input.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np

from predictor.model.graph import Graph, Subgraph
from predictor.model.requantization import Range
from predictor.optimization.compaction.equality import can_merge, followers, leaders
from predictor.optimization.compaction.identities import simplified
from predictor.optimization.compaction.intervals import Spans, intervals
from predictor.optimization.compaction.removal import (
    Cut,
    Flags,
    Removal,
    can_fold,
    every_channel,
    removable,
)
from predictor.optimization.compaction.spans import Ints, channels_of
from predictor.optimization.compaction.weighted import weighted_layer
from predictor.records import dataclass

CostOf = Callable[[Graph], float]
"""What a graph costs: lower is better."""

_MULTIPLE = 4
"""Channels that kernels take together."""
_SURELY = 5e-3
"""Share of the cost by which a network without channels must be cheaper, as less may be an error of
the prediction: of 300 networks with planted channels, counted in firmware, one that should have
taken 0.34 % less took 0.09 % more."""
_RESOLUTION = 5e-4
"""Share of the cost below which a difference is no reason to keep a channel: predicted instructions
of whole models are known to about this."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why one channel of the original model could go.

    ``reason`` is "constant" (always ``value``), "equal" (to channel ``value`` of its tensor) or
    "unread". Channels count as in the original model.
    """

    tensor: str
    channel: int
    reason: str
    value: int | None = None


@dataclass(frozen=True)
class Compaction:
    """A smaller graph that computes the same. ``changes`` are operators that went, in words."""

    graph: Graph
    certificates: tuple[Certificate, ...]
    changes: tuple[str, ...]

    @property
    def is_smaller(self) -> bool:
        return bool(self.certificates or self.changes)


def compact(
    graph: Graph,
    cost_of: CostOf | None = None,
    input_range: Range | None = None,
    deadline: float = inf,
) -> Compaction:
    """Removes all that never changes an output.

    Args:
        cost_of: what decides how many removable channels stay after all, as kernels take channels
            in fours; None removes all.
        input_range: what quantised inputs hold at most, where that is less than their type.
        deadline: of ``time.monotonic()``, after which no further step is taken.
    """
    certificates: list[Certificate] = []
    names = Counter(tensor.name for tensor in graph.main.tensors)
    left = {
        tensor.name: np.arange(channels_of(tensor))
        for tensor in graph.main.tensors
        if names[tensor.name] == 1
    }
    graph, changes = simplified(graph, deadline)
    whole = Compaction(graph, (), tuple(changes))
    while time.monotonic() < deadline:
        done = _without_constants(graph, cost_of, input_range, deadline)
        done = done or _without_equals(graph)
        if done is None:
            break
        graph, gone = done
        certificates += _in_original(gone, left)
        graph, found = simplified(graph, deadline)
        changes += found
    if cost_of is not None and cost_of(graph) > cost_of(whole.graph) * (1 - _SURELY):
        return whole
    return Compaction(graph, tuple(certificates), tuple(changes))


def _in_original(gone: list[Certificate], left: dict[str, Ints]) -> list[Certificate]:
    """Certificates of one step with the channels of the original model.

    ``left`` says which channels of it each tensor has, and is brought up to date.
    """
    found = []
    for item in gone:
        own = left.get(item.tensor)
        if own is None:  # tensors of one name cannot be told apart
            found.append(item)
            continue
        value = item.value
        if item.reason == "equal" and value is not None:
            value = int(own[value])
        found.append(replace(item, channel=int(own[item.channel]), value=value))
    for name in {item.tensor for item in gone} & left.keys():
        left[name] = np.delete(left[name], [i.channel for i in gone if i.tensor == name])
    return found


_Step = tuple[Graph, list[Certificate]]


def _without_constants(
    graph: Graph, cost_of: CostOf | None, input_range: Range | None, deadline: float
) -> _Step | None:
    main = graph.main
    spans = intervals(main, input_range)
    removal = _keeping_one(main, every_channel(main), spans)
    cut = _cut(graph, main, removal, spans)
    if cut is None:
        return None
    if cost_of is not None:
        removal, cut = _cheapest(graph, removal, cut, spans, cost_of, deadline)
        if cost_of(cut) >= cost_of(graph):
            return None
    return cut, [
        certificate
        for index, flags in removal.items()
        if not main.tensors[index].is_constant
        for certificate in _reasons(main.tensors[index].name, np.flatnonzero(flags), spans, index)
    ]


def _reasons(name: str, channels: Ints, spans: Spans, index: int) -> list[Certificate]:
    span = spans.get(index)
    return [
        Certificate(name, int(channel), "constant", int(span.low[channel]))
        if span is not None and span.low[channel] == span.high[channel]
        else Certificate(name, int(channel), "unread")
        for channel in channels
    ]


def _keeping_one(main: Subgraph, start: Removal, spans: Spans) -> Removal:
    """All that can go, but for one channel of tensors that would lose all."""
    while True:
        found = removable(main, start, lambda layer: can_fold(layer, spans))
        empty = [index for index, flags in found.items() if flags.all()]
        empty = [index for index in empty if not main.tensors[index].is_constant]
        if not empty:
            return found
        start = {**start, **{index: _without_first(start[index], 1) for index in empty[:1]}}


def _without_first(flags: Flags, count: int) -> Flags:
    """Flags without the first so many that are set."""
    kept = flags.copy()
    kept[np.flatnonzero(flags)[:count]] = False
    return kept


def _cut(graph: Graph, main: Subgraph, removal: Removal, spans: Spans) -> Graph | None:
    """The graph without these channels, None where there are none or a bias would overflow."""
    return Cut(main, removal, spans, {}).graph(graph) if removal else None


def _cheapest(
    graph: Graph, removal: Removal, cut: Graph, spans: Spans, cost_of: CostOf, deadline: float
) -> tuple[Removal, Graph]:
    """With removable channels back where layers get cheaper by that: up to the next multiple.

    Layers that are not reached before the deadline stay without them.
    """
    main, cost = graph.main, cost_of(cut)
    for op in main.operators:
        if time.monotonic() > deadline:
            break
        layer = weighted_layer(main, op)
        flags = removal.get(op.outputs[0]) if op.outputs else None
        if layer is None or layer.is_depthwise or flags is None:
            continue
        start = removal
        for back in range(1, min(-int((~flags).sum()) % _MULTIPLE, int(flags.sum())) + 1):
            fewer = {**start, op.outputs[0]: _without_first(flags, back)}
            other = _keeping_one(main, fewer, spans)
            changed = _cut(graph, main, other, spans)
            if changed is not None and (found := cost_of(changed)) < cost * (1 - _RESOLUTION):
                removal, cut, cost = other, changed, found
    return removal, cut


def _without_equals(graph: Graph) -> _Step | None:
    main = graph.main
    first = leaders(main)
    removal = removable(main, followers(first), can_merge(first))
    removal = {i: f for i, f in removal.items() if not main.tensors[i].is_constant} and removal
    cut = Cut(main, removal, {}, first).graph(graph) if removal else None
    if cut is None:
        return None
    return cut, [
        Certificate(main.tensors[index].name, int(channel), "equal", int(first[index][channel]))
        for index, flags in removal.items()
        if not main.tensors[index].is_constant
        for channel in np.flatnonzero(flags)
    ]
