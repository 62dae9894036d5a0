"""Rewrites a group of operators so that it runs in stripes of rows of its output.

Each stripe is cut out of the group's inputs with the rows that its windows reach into (its halo),
runs through copies of the operators with explicit padding, and all are joined to the output.
Operators, weights and values stay the same; rows of the halo are computed more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from predictor.model.geometry import VALID
from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType
from predictor.optimization.compaction.surgery import Draft
from predictor.optimization.stripes.row_windows import FILTERED, Rows, RowWindow, row_window
from predictor.records import dataclass

MOST_STRIPES = 10
"""Inputs that TFLM's CONCATENATION takes at most (kMaxInputNum)."""
STRIPE_MARK = "/stripe"
"""What stands between the name of a tensor and the number of the stripe that holds rows of it."""
_INT32 = Tensor(-1, "", (), TensorType.INT32)


@dataclass(frozen=True)
class Group:
    """Operators ``start`` to ``stop`` (exclusive) of a subgraph that may run in stripes.

    All are walked through by rows, and only the output of the last is read outside.
    """

    subgraph: Subgraph
    start: int
    stop: int
    windows: tuple[RowWindow, ...]

    @property
    def operators(self) -> Sequence[Operator]:
        return self.subgraph.operators[self.start : self.stop]

    @property
    def output(self) -> Tensor:
        return self.subgraph.tensors[self.operators[-1].outputs[0]]

    @property
    def rows(self) -> int:
        """Rows of the output."""
        return self.output.shape[1]

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Computed tensors that the group reads and does not write."""
        written = {op.outputs[0] for op in self.operators}
        found = {
            op.inputs[position]: None
            for op, window in zip(self.operators, self.windows, strict=True)
            for position in window.sources
        }
        return tuple(index for index in found if index not in written)

    def needed(self, rows: Rows) -> dict[int, Rows]:
        """Rows of each tensor of the group that rows of its output take, the output's included."""
        found = {self.output.index: rows}
        for op, window in zip(reversed(self.operators), reversed(self.windows), strict=True):
            own = found[op.outputs[0]]
            for position in window.sources:
                index = op.inputs[position]
                part = window.needed(own, self.subgraph.tensors[index].shape[1])
                other = found.get(index, part)
                found[index] = Rows(min(part.first, other.first), max(part.end, other.end))
        return found

    def can_have(self, count: int) -> bool:
        """Whether each of so many stripes reads rows of all tensors, not padding alone."""
        return all(
            part.height > 0 for rows in self.stripes(count) for part in self.needed(rows).values()
        )

    def stripes(self, count: int) -> list[Rows]:
        """The output's rows in so many stripes, as equal as can be, the larger ones first."""
        ends = [-(-self.rows * part // count) for part in range(count + 1)]
        return [Rows(first, end) for first, end in pairwise(ends)]


def find_group(subgraph: Subgraph, start: int, stop: int) -> Group | None:
    """The group of these operators, None where they cannot run in stripes."""
    operators = subgraph.operators[start:stop]
    windows = [row_window(subgraph, op) for op in operators]
    known = tuple(window for window in windows if window is not None)
    if len(known) < len(windows) or not known:
        return None
    inside = {op.outputs[0] for op in operators[:-1]}
    outside = (*subgraph.operators[:start], *subgraph.operators[stop:])
    read_outside = {index for op in outside for index in op.inputs} | set(subgraph.outputs)
    read_inside = {index for op in operators for index in op.inputs}
    if inside & read_outside or not inside <= read_inside:
        return None
    return Group(subgraph, start, stop, known)


def striped(graph: Graph, group: Group, count: int) -> Graph:
    """The graph with a group of its main subgraph in so many stripes."""
    return Stripes(graph, group).graph(group.stripes(count))


class Stripes:
    """Operators of a group in the making, stripe by stripe; ``draft`` holds their tensors."""

    def __init__(self, graph: Graph, group: Group) -> None:
        self.draft = Draft(graph)
        self._group = group
        self.operators: list[Operator] = []
        self._constants: dict[tuple[int, ...], int] = {}

    def graph(self, stripes: Sequence[Rows]) -> Graph:
        group = self._group
        parts = [self.stripe(number, rows) for number, rows in enumerate(stripes)]
        options = {"options_type": "ConcatenationOptions", "axis": 1}
        self.operators.append(
            Operator(0, "CONCATENATION", tuple(parts), (group.output.index,), options=options)
        )
        self.draft.operators[group.start : group.stop] = self.operators
        return self.draft.graph()

    def stripe(self, number: int, rows: Rows, start: int = 0) -> int:
        """Adds the operators of one stripe; the tensor that holds its rows of the output.

        Args:
            start: the first row of the group's inputs that there is.
        """
        group, needed = self._group, self._group.needed(rows)
        held = {
            index: (index, Rows(start, group.subgraph.tensors[index].shape[1]))
            for index in group.sources
        }
        for op, window in zip(group.operators, group.windows, strict=True):
            output = group.subgraph.tensors[op.outputs[0]]
            own = needed[output.index]
            changed = {}
            for position in window.sources:
                index = op.inputs[position]
                part = window.needed(own, group.subgraph.tensors[index].shape[1])
                changed[position] = self.rows(held, index, part, number)
                if op.name in FILTERED or op.name == "PAD":
                    name = f"{output.name}{STRIPE_MARK}{number}"
                    if op.name != "PAD":
                        name = f"{name}/padded"
                    changed[position] = self._padded(changed[position], part, window, name)
            if op.name == "PAD":
                held[output.index] = changed[0], own
                continue
            made = self.tensor(output, f"{output.name}{STRIPE_MARK}{number}", own.height)
            op = self.draft.with_inputs(replace(op, outputs=(made,)), changed)
            if window.span > 1 or window.stride > 1:
                op = replace(op, options={**op.options, "padding": VALID})
            self.operators.append(op)
            held[output.index] = made, own
        return held[group.output.index][0]

    def tensor(self, like: Tensor, name: str, rows: int, columns: int = 0) -> int:
        """Adds a tensor with so many rows, and columns more."""
        shape = (1, rows, like.shape[2] + columns, like.shape[3])
        index = len(self.draft.tensors)
        self.draft.tensors.append(replace(like, index=index, name=name, shape=shape))
        return index

    def rows(
        self, held: dict[int, tuple[int, Rows]], index: int, part: Rows, number: int | str
    ) -> int:
        """Rows of a tensor of which a part or all is held."""
        source, own = held[index]
        if (part.first, part.end) == (own.first, own.end):
            return source
        like = self.draft.tensors[source]
        name = self._group.subgraph.tensors[index].name
        made = self.tensor(like, f"{name}/rows{number}", part.height)
        first = part.first - own.first
        places = self._constant(tuple(range(first, first + part.height)), (part.height,))
        options = {"options_type": "GatherOptions", "axis": 1}
        self.operators.append(Operator(0, "GATHER", (source, places), (made,), options=options))
        return made

    def _padded(self, source: int, part: Rows, window: RowWindow, name: str) -> int:
        """A tensor with the padding of its rows and columns, which a copy then needs no more."""
        left, right = window.columns
        if not (part.before or part.behind or left or right):
            return source
        like = self.draft.tensors[source]
        rows = part.before + part.height + part.behind
        made = self.tensor(like, name, rows, left + right)
        amounts = (0, 0, part.before, part.behind, left, right, 0, 0)
        options = {"options_type": "PadOptions"}
        inputs = (source, self._constant(amounts, (4, 2)))
        self.operators.append(Operator(0, "PAD", inputs, (made,), options=options))
        return made

    def _constant(self, values: tuple[int, ...], shape: tuple[int, ...]) -> int:
        key = (*values, *shape)
        if key not in self._constants:
            array = np.array(values, np.int64).reshape(shape)
            self._constants[key] = self.draft.constant(f"stripes/{values[0]}", array, _INT32)
        return self._constants[key]
