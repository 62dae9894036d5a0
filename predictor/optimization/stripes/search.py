"""Which groups of operators run in stripes, and in how many: where the arena falls by it.

Estimates of all groups say which few are built, planned and predicted: rows that are computed more
than once cost instructions, each operator and tensor more costs persistent bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain

from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.operators.sizes import align_up, runtime_bytes
from predictor.optimization.overlap import step_needs
from predictor.optimization.plan_problem import ALIGNMENT
from predictor.optimization.stripes.row_windows import Rows
from predictor.optimization.stripes.striping import MOST_STRIPES, Group, find_group, striped
from predictor.records import dataclass

MOST_GROUPS = 3
_MOST_OPERATORS = 16
"""Operators of a group at most: the halo grows with each window."""
_OPERATOR_BYTES = 250
"""About what one more operator with its tensors and padding takes in the arena, beside the scaling
of its channels."""
_CHANNEL_BYTES = 8


@dataclass(frozen=True)
class Candidate:
    """A group in so many stripes, estimated.

    ``peak_bytes`` are needed at once while it runs, ``extra_bytes`` is persistent memory more,
    ``extra_instructions`` what rows computed more than once take. ``rows`` of tensors are computed,
    ``repeated_rows`` of them once more than layer by layer.
    """

    start: int
    stop: int
    count: int
    peak_bytes: int
    extra_bytes: int
    extra_instructions: float
    rows: int
    repeated_rows: int

    def meets(self, other: Candidate) -> bool:
        """Whether an operator is in both."""
        return self.start < other.stop and other.start < self.stop


Choice = tuple[Candidate, ...]
"""Groups without common operators."""


def with_stripes(graph: Graph, choice: Choice) -> Graph:
    """The graph with these groups in stripes."""
    for item in sorted(choice, key=lambda item: -item.start):
        group = find_group(graph.main, item.start, item.stop)
        if group is None:
            raise ValueError(f"operators {item.start} to {item.stop} are no group")
        graph = striped(graph, group, item.count)
    return graph


class Candidates:
    """All groups of a model in all counts, estimated, and what the rest of the model needs.

    Args:
        report: the arena of the model, without a plan.
        instructions: of each operator of the main subgraph.
    """

    def __init__(self, report: ArenaReport, instructions: Sequence[float], deadline: float) -> None:
        self._main = report.prepared.graph.main
        self._instructions = instructions
        self._needs = {
            report.steps[step][1]: needed
            for step, needed in step_needs(report).items()
            if report.steps.get(step, (1, 0))[0] == 0
        }
        self.all = list(self._found(deadline))

    def _found(self, deadline: float) -> Iterator[Candidate]:
        count = len(self._main.operators)
        for start in range(count):
            for stop in range(start + 1, min(count, start + _MOST_OPERATORS) + 1):
                if time.monotonic() > deadline:
                    return
                group = find_group(self._main, start, stop)
                if group is not None and any(window.span > 1 for window in group.windows):
                    counts = range(2, min(MOST_STRIPES, group.rows) + 1)
                    yield from (self._estimated(group, n) for n in counts if group.can_have(n))

    def height_bytes(self, choice: Choice) -> int:
        """About what is needed at once with these groups in stripes."""
        inside = set(chain.from_iterable(range(item.start, item.stop) for item in choice))
        outside = (needed for index, needed in self._needs.items() if index not in inside)
        return max(max(outside, default=0), max((item.peak_bytes for item in choice), default=0))

    def best(self, known: Choice, most_instructions: float, count: int) -> list[Choice]:
        """The most promising ways to put one group more in stripes.

        Args:
            most_instructions: what all groups may cost together.
            count: how many ways.
        """
        spent = sum(item.extra_instructions for item in known)
        found = []
        for item in self.all:
            if spent + item.extra_instructions > most_instructions or any(map(item.meets, known)):
                continue
            choice = (*known, item)
            bytes_ = self.height_bytes(choice) + sum(each.extra_bytes for each in choice)
            found.append((bytes_, item.extra_instructions, item.start, choice))
        found.sort(key=lambda entry: entry[:3])
        return [choice for *_, choice in found[:count]]

    def _estimated(self, group: Group, count: int) -> Candidate:
        main, peak, extra = self._main, 0, 0.0
        computed = [0] * len(group.operators)
        stripes = group.stripes(count)
        for number, rows in enumerate(stripes):
            needed = group.needed(rows)
            for place, op in enumerate(group.operators):
                computed[place] += needed[op.outputs[0]].height
            after = group.needed(stripes[number + 1]) if number + 1 < count else {}
            peak = max(peak, self._peak(group, needed, after))
        for place, op in enumerate(group.operators):
            rows_once = main.tensors[op.outputs[0]].shape[1]
            extra += self._instructions[op.index] * (computed[place] / rows_once - 1)
        channels = sum(main.tensors[op.outputs[0]].shape[3] for op in group.operators)
        own = _OPERATOR_BYTES * len(group.operators) + _CHANNEL_BYTES * channels
        once = sum(main.tensors[op.outputs[0]].shape[1] for op in group.operators)
        total = sum(computed)
        extra_bytes = (count - 1) * own
        return Candidate(
            group.start, group.stop, count, peak, extra_bytes, extra, total, total - once
        )

    def _peak(self, group: Group, needed: dict[int, Rows], after: dict[int, Rows]) -> int:
        """Bytes needed at once in a stripe: its largest step, what is left of the inputs behind
        it, and the output as far as it is written."""
        main = self._main
        kept = 0
        for index in group.sources:
            tensor = main.tensors[index]
            first = min(needed[index].first, after[index].first if after else tensor.shape[1])
            kept += self._bytes(index, tensor.shape[1] - first)
        kept += self._bytes(group.output.index, needed[group.output.index].first)
        last_read = {
            op.inputs[position]: place
            for place, (op, window) in enumerate(zip(group.operators, group.windows, strict=True))
            for position in window.sources
        }
        alive: dict[int, int] = {}
        peak = 0
        for place, op in enumerate(group.operators):
            output = op.outputs[0]
            alive[output] = self._bytes(output, needed[output].height)
            peak = max(peak, sum(alive.values()))
            for index, last in last_read.items():
                if last <= place:
                    alive.pop(index, None)
        return kept + peak

    def _bytes(self, index: int, rows: int) -> int:
        tensor = self._main.tensors[index]
        return align_up(rows * runtime_bytes(tensor, tensor.shape[2:]), ALIGNMENT)
