"""Groups of operators that run in rows, chosen together with the plan."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from predictor.cost.instructions import load_costs
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.prepared import PreparedNode
from predictor.memory.revision import Revision
from predictor.model.device.device_model import device_model, preparable
from predictor.model.device.options import PoolOptions, WeightedOptions
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_group import (
    Group,
    MadeGroup,
    StreamLayer,
    made_group,
    stream_layers,
)
from predictor.model.device.stream_stage import MOST_STAGES, STREAM, is_global
from predictor.model.graph import Graph, Operator
from predictor.operators.access_order import InputOverlap
from predictor.operators.mn.convolution_loops import BLOCK
from predictor.operators.mn.scratch import scratch_bytes
from predictor.operators.mn.stream import stream_distance, stream_loops
from predictor.operators.sizes import align_up
from predictor.optimization.optimizer import Optimized, OptimizeOptions
from predictor.optimization.overlap import distance_of, is_wanted
from predictor.optimization.plan_problem import ALIGNMENT
from predictor.optimization.prepared_filters import Plan, with_prepared_filters
from predictor.optimization.row_search import Edge, Variant, best_path
from predictor.records import dataclass

_LEAST_EXTRA = 1.0
"""Extra instructions of a group: operators stay by themselves where one only saves instructions, by
prepared filters."""
_POSITIONS = (1, 12, 24, 48, 96)
"""Output positions that a layer computes at once, at least: variants of a group."""


def with_groups(
    graph: Graph,
    plain: Optimized,
    revision: Revision,
    settings: OptimizeOptions,
    plan: Plan,
    deadline: float,
) -> Optimized:
    """The smallest arena that groups of operators in rows or prepared filters bring.

    Args:
        graph: the model with builtin operators.
        plain: its device model without either, optimised.
        settings: of which the limit on extra instructions counts.
        deadline: of ``time.monotonic()``, after which no more groups are looked at.
    """
    if plain.is_interrupted or len(graph.subgraphs) != 1:
        return with_prepared_filters(graph, plain, plan, deadline)
    candidates = Candidates(graph, revision, settings)
    most = math.inf
    if settings.max_slowdown is not None:
        most = settings.max_slowdown * candidates.instructions
    path = best_path(
        candidates.edges(), len(graph.main.operators), most, lambda: time.monotonic() > deadline
    )
    if path is None or not path.groups:
        return with_prepared_filters(graph, plain, plan, deadline)
    inside = {index for group in path.groups for index in group.operators}
    fixed = [index for index in preparable(graph) if index in inside]
    found = plan(device_model(graph, prepared=fixed, groups=path.groups))
    if found.after.nonpersistent_bytes > path.height_bytes:
        # Filters of other operators may have to be prepared; or plans without groups are as low.
        found = with_prepared_filters(graph, found, plan, deadline, path.groups)
        plain = with_prepared_filters(graph, plain, plan, deadline)
    if found.after.required_bytes >= plain.after.required_bytes:
        return replace(plain, is_interrupted=found.is_interrupted)
    return replace(
        found,
        instructions=candidates.instructions,
        extra_instructions=sum(settings.instructions(found.after.prepared))
        - candidates.instructions,
        without_overlap_bytes=plain.without_overlap_bytes,
    )


def operators_in_rows(graph: Graph) -> tuple[tuple[int, StreamOptions], ...]:
    """Operators of the main subgraph of a device model that run layers in rows, by index."""
    found = []
    for op in graph.main.operators:
        if op.is_custom and op.name.startswith(STREAM):
            options = read_options(op.name, op.custom_options)
            assert isinstance(options, StreamOptions)
            found.append((op.index, options))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Span:
    """A planned tensor: its bytes, and the first and last operator that has it."""

    size_bytes: int
    first: int
    last: int


class Candidates:
    """What operators of a model take, each by itself and in groups."""

    def __init__(self, graph: Graph, revision: Revision, settings: OptimizeOptions) -> None:
        self._main = graph.main
        self._level = settings.overlap
        self._revision = revision
        self._prepared = preparable(graph)
        self._layers = stream_layers(graph.main)
        report = arena(device_model(graph, prepared=self._prepared), revision)
        plain = arena(device_model(graph), revision)
        self._nodes = report.prepared.nodes
        self._counts = settings.instructions(plain.prepared)
        self._spans = _spans(report)

    @property
    def instructions(self) -> float:
        """Of the model without groups."""
        return sum(self._counts)

    def edges(self) -> list[Edge]:
        """All operators and groups; groups with a bound that no variant is below."""
        found = [self._single(node) for node in self._nodes]
        lowest = max((edge.variants[0].height_bytes for edge in found), default=0)
        for first in range(len(self._layers)):
            for edge in self._groups_from(first):
                if edge.variants[0].height_bytes <= lowest:
                    found.append(edge)
        return found

    def _single(self, node: PreparedNode) -> Edge:
        index = node.context.op.index
        scratch = sum(align_up(size, ALIGNMENT) for size in node.scratch_bytes)
        overlaps = distance_of(node).overlaps
        height = self._height(range(index, index + 1), node.context.op, overlaps) + scratch
        return Edge(index, index + 1, [Variant(height, 0.0)])

    def _groups_from(self, first: int) -> list[Edge]:
        found = []
        layers: list[StreamLayer] = []
        for layer in self._layers[first : first + MOST_STAGES]:
            if layer is None:
                break
            layers.append(layer)
            group = Group(first, (1,) * len(layers))
            if len(layers) > 1 and self._is_group(group, layers):
                bound = self._bound(group, layers)
                found.append(
                    Edge(
                        first,
                        group.operators.stop,
                        [Variant(bound, _LEAST_EXTRA)],
                        lambda group=group: self._look(group),  # type: ignore[misc]
                    )
                )
        return found

    def _is_group(self, group: Group, layers: Sequence[StreamLayer]) -> bool:
        """Whether one tensor goes in and one comes out, as far as is cheap to tell."""
        made = {layer.operator.outputs[0] for layer in layers}
        if len({index for layer in layers for index in layer.inputs if index not in made}) != 1:
            return False
        last = group.operators.stop - 1
        inner = [layer.operator.outputs[0] for layer in layers[:-1]]
        return all(
            index in self._spans and self._spans[index].last <= last for index in inner
        ) and not set(inner).intersection(self._main.outputs)

    def _bound(self, group: Group, layers: Sequence[StreamLayer]) -> int:
        """What a group takes at least: its larger end, and the windows of its layers."""
        reaches: dict[int, int] = {}
        for layer in layers:
            options = layer.options
            reach = 1
            if isinstance(options, WeightedOptions):
                reach = (options.filter_dims[1] - 1) * options.dilation[0] + 1
            elif isinstance(options, PoolOptions):
                is_summed = layer is layers[-1] and is_global(options)
                reach = 1 if is_summed else options.window[0]
            for index in layer.inputs:
                reaches[index] = max(reaches.get(index, 1), reach)
        lines = 0
        for layer in layers[:-1]:
            output = layer.operator.outputs[0]
            if layer.rows is not None:
                rows, row_bytes = layer.rows
                lines += min(rows, reaches.get(output, 1)) * row_bytes
        ends = (layers[0].inputs[0], layers[-1].operator.outputs[0])
        sizes = [self._spans[index].size_bytes for index in ends if index in self._spans]
        return max(sizes, default=0) + lines

    def _look(self, group: Group) -> list[Variant]:
        """The variants of a group, none where it cannot be one."""
        found: dict[tuple[int, ...], Variant] = {}
        for positions in _POSITIONS:
            steps = tuple(_step(self._layers[index], positions) for index in group.operators)
            if steps in found:
                continue
            made = made_group(self._main, self._layers, Group(group.first, steps), self._prepared)
            if made is None:
                return []
            found[steps] = self._variant(Group(group.first, steps), made)
        return list(found.values())

    def _variant(self, group: Group, made: MadeGroup) -> Variant:
        options = made.options
        op = Operator(0, options.code, made.inputs, (made.output,), is_custom=True)
        overlap = InputOverlap(0, stream_distance(options), "")
        height = self._height(group.operators, op, [overlap])
        height += align_up(scratch_bytes(options), ALIGNMENT)
        counts = [self._counts[index] for index in group.operators]
        own = self._instructions(op, options)
        extra = _LEAST_EXTRA if own is None else max(_LEAST_EXTRA, own - sum(counts))
        return Variant(height, extra, group)

    def _instructions(self, op: Operator, options: StreamOptions) -> float | None:
        """Of a group; None where they are not known."""
        loops = stream_loops(options, self._nodes[0].context.with_operator(op))
        costs = load_costs(self._revision)
        if loops is None or not loops.terms.keys() <= costs.keys():
            return None
        return sum(costs[term].instructions * runs for term, runs in loops.terms.items())

    def _height(self, operators: range, op: Operator, overlaps: Sequence[InputOverlap]) -> int:
        """Bytes of all tensors alive while these run as one: its ends, and those beside them."""
        output = op.outputs[0]
        inner = {self._main.operators[index].outputs[0] for index in operators[:-1]}
        alive = {
            index
            for index, span in self._spans.items()
            if span.first < operators.stop and span.last >= operators.start and index not in inner
        }
        total = sum(self._spans[index].size_bytes for index in alive)
        if output not in self._spans:
            return total
        size = self._spans[output].size_bytes
        shared = 0
        for overlap in overlaps:
            input = op.inputs[overlap.position]
            if input not in alive or self._spans[input].last >= operators.stop:
                continue
            if input in self._main.outputs or not is_wanted(overlap, self._level):
                continue
            upper = self._spans[input].size_bytes
            distance = align_up(overlap.distance_bytes, ALIGNMENT)
            if distance < size:
                shared = max(shared, size + upper - max(size, distance + upper))
        return total - shared


def _step(layer: StreamLayer | None, positions: int) -> int:
    """Rows that hold so many output positions; several rows hold whole blocks of them."""
    options = None if layer is None else layer.options
    if not isinstance(options, WeightedOptions | PoolOptions):
        return 1
    width = options.output_dims[2]
    if positions <= width:
        return 1
    unit = BLOCK // math.gcd(BLOCK, width)
    return -(-positions // (width * unit)) * unit


def _spans(report: ArenaReport) -> dict[int, _Span]:
    """Planned tensors of the main subgraph by index; the application has inputs before the first
    operator and outputs behind the last."""
    step_of = {step: key[1] for step, key in report.steps.items() if not key[0]}
    last = max(step_of.values(), default=0)
    found = {}
    for buffer in report.buffers:
        if buffer.tensor is None or buffer.subgraph_index:
            continue
        end = step_of.get(buffer.last_use, last)
        if buffer.tensor.index in report.prepared.graph.main.outputs:
            end = last
        first = step_of.get(buffer.first_use, 0)
        found[buffer.tensor.index] = _Span(buffer.size_bytes, first, end)
    return found
