"""The layers of a model that runs in stripes: one operator again for its copies in all stripes.

What is found here is only proposed: :func:`prove_equal` proves it from both graphs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from predictor.errors import UnprovedError
from predictor.model.geometry import SAME
from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType
from predictor.optimization.compaction.surgery import Draft, has_integers, integers
from predictor.optimization.stripes.row_windows import FILTERED, row_window
from predictor.optimization.stripes.striping import STRIPE_MARK
from predictor.optimization.verification.rows import prove_rows_equal
from predictor.optimization.verification.verifier import prove_equal
from predictor.records import dataclass

_INT32 = Tensor(-1, "", (), TensorType.INT32)
_NO_PADS = (0, 0, 0, 0)


def prove_equal_layers(
    before: Graph,
    after: Graph,
    input_range: tuple[int, int] | None = None,
    deadline: float = inf,
) -> None:
    """Shows that two graphs compute the same, where the second may run in stripes.

    Raises:
        UnprovedError: they may differ, with the first place where the proof fails.
    """
    layers = merged(after)
    if layers is not after:
        try:
            prove_rows_equal(before, after)
            return
        except UnprovedError:  # the first graph may have channels that the other one does without
            prove_rows_equal(layers, after)
    prove_equal(before, layers, input_range, deadline)


def merged(graph: Graph) -> Graph:
    """The graph with layers in place of stripes; itself where it has none."""
    for op in graph.main.operators:
        if op.name == "CONCATENATION" and not op.is_custom and len(op.inputs) > 1:
            found = _Merging(graph, op).graph()
            if found is not None:
                return merged(found)
    return graph


@dataclass(frozen=True, slots=True)
class _Layer:
    """A copy of an operator in a stripe, None for the stripe's end; the paddings of its inputs.

    A padding is (rows before, rows behind, columns on the left, columns on the right); ``names``
    are what the padded tensors are called.
    """

    op: Operator | None
    sources: Mapping[int, int]
    pads: Mapping[int, tuple[int, int, int, int]]
    names: Mapping[int, str]


class _Merging:
    def __init__(self, graph: Graph, joint: Operator) -> None:
        self._graph = graph
        self._main: Subgraph = graph.main
        self._joint = joint
        self._name_of: dict[tuple[int, tuple[int, int, int, int]], str] = {}
        self._writer = {index: op for op in self._main.operators for index in op.outputs}

    def graph(self) -> Graph | None:
        """The graph with the stripes that the operator joins as layers, None if it joins none."""
        behind = [self._behind(index) for index in self._joint.inputs]
        shared = Counter(number for part in behind for number in part)
        own = [sorted(number for number in part if shared[number] == 1) for part in behind]
        if not all(own) or self._joint.options.get("axis") != 1:
            return None
        first, last = (
            self._layers(own[place], self._joint.inputs[place]) for place in (0, len(own) - 1)
        )
        names = [[layer.op.name for layer in side if layer.op] for side in (first, last)]
        if names[0] != names[1] or not names[0]:
            return None
        draft = Draft(self._graph)
        operators = self._operators(draft, first, last)
        if operators is None:
            return None
        gone = {number for part in own for number in part}
        place = draft.operators.index(self._joint)
        kept = [op for op in draft.operators[:place] if op.index not in gone]
        draft.operators = [*kept, *operators, *draft.operators[place + 1 :]]
        return draft.graph()

    def _behind(self, index: int) -> set[int]:
        """The operators from which a tensor is made."""
        found: set[int] = set()
        left = [index]
        while left:
            op = self._writer.get(left.pop())
            if op is not None and op.index not in found:
                found.add(op.index)
                left += [item for item in op.inputs if item >= 0]
        return found

    def _layers(self, numbers: Sequence[int], end: int) -> list[_Layer]:
        """The operators of a stripe but for those that cut it out and pad it."""
        source_of: dict[int, int] = {}
        pad_of: dict[int, tuple[int, int, int, int]] = {}
        found = []
        for number in numbers:
            op = self._main.operators[number]
            if op.name == "GATHER":
                source_of[op.outputs[0]] = source_of.get(op.inputs[0], op.inputs[0])
            elif op.name == "PAD" and has_integers(self._main.tensors[op.inputs[1]]):
                amounts = integers(self._main.tensors[op.inputs[1]])
                source_of[op.outputs[0]] = source_of.get(op.inputs[0], op.inputs[0])
                pads = tuple(amounts.reshape(-1).tolist()[2:6])
                pad_of[op.outputs[0]] = pads if len(pads) == 4 else _NO_PADS
            else:
                found.append(self._layer(op, op.inputs, source_of, pad_of))
        return [*found, self._layer(None, (end,), source_of, pad_of)]

    def _layer(
        self,
        op: Operator | None,
        inputs: Sequence[int],
        source_of: Mapping[int, int],
        pad_of: Mapping[int, tuple[int, int, int, int]],
    ) -> _Layer:
        places = list(enumerate(inputs))
        return _Layer(
            op,
            {place: source_of.get(index, index) for place, index in places},
            {place: pad_of[index] for place, index in places if index in pad_of},
            {place: self._main.tensors[index].name for place, index in places if index in pad_of},
        )

    def _operators(
        self, draft: Draft, first: Sequence[_Layer], last: Sequence[_Layer]
    ) -> list[Operator] | None:
        """One operator for all copies, with the padding before the first and behind the last."""
        made: dict[int, int] = {}
        operators: list[Operator] = []
        for layer, other in zip(first, last, strict=True):
            inputs = {}
            for place, source in layer.sources.items():
                index = made.get(source, source)
                top, _, left, right = layer.pads.get(place, other.pads.get(place, _NO_PADS))
                top = top if place in layer.pads else 0
                bottom = other.pads.get(place, _NO_PADS)[1]
                inputs[place] = index, (top, bottom, left, right)
                name = layer.names.get(place, other.names.get(place, ""))
                self._name_of[inputs[place]] = name.partition(STRIPE_MARK)[0]
            if layer.op is None:
                end, pads = inputs[0]
                return self._ended(draft, operators, end, pads)
            op = self._whole(draft, layer.op, inputs, operators)
            if op is None:
                return None
            operators.append(op)
            made[layer.op.outputs[0]] = op.outputs[0]
        return None

    def _ended(
        self, draft: Draft, operators: list[Operator], end: int, pads: tuple[int, int, int, int]
    ) -> list[Operator] | None:
        """The operators where the last one writes what the stripes were joined to."""
        output = draft.tensors[self._joint.outputs[0]]
        end = self._padded(draft, end, pads, operators)
        if draft.tensors[end].shape != output.shape or operators[-1].outputs != (end,):
            return None
        operators[-1] = replace(operators[-1], outputs=(output.index,))
        return operators

    def _whole(
        self,
        draft: Draft,
        op: Operator,
        inputs: Mapping[int, tuple[int, tuple[int, int, int, int]]],
        operators: list[Operator],
    ) -> Operator | None:
        """The operator on all rows; None where it is not known."""
        window = row_window(self._main, op)
        if window is None:
            return None
        place = window.sources[0]
        index, pads = inputs[place]
        source, output = draft.tensors[index], draft.tensors[op.outputs[0]]
        height = source.shape[1] + pads[0] + pads[1]
        rows = (height - window.span) // window.stride + 1
        name = output.name.partition(STRIPE_MARK)[0]
        made = len(draft.tensors)
        shape = (1, rows, *output.shape[2:])
        draft.tensors.append(replace(output, index=made, name=name, shape=shape))
        changed = {place: index for place, (index, _) in inputs.items() if place in window.sources}
        whole = draft.with_inputs(replace(op, outputs=(made,)), changed)
        if any(pads) and op.name in FILTERED:
            same = replace(whole, options={**whole.options, "padding": SAME})
            tensors = replace(self._main, tensors=tuple(draft.tensors))
            found = row_window(tensors, same)
            if found is not None and (found.before, *found.columns) == (pads[0], *pads[2:]):
                return same
        padded = {
            place: self._padded(draft, index, inputs[place][1], operators)
            for place, index in changed.items()
        }
        return draft.with_inputs(whole, padded)

    def _padded(
        self, draft: Draft, index: int, pads: tuple[int, int, int, int], operators: list[Operator]
    ) -> int:
        if not any(pads):
            return index
        top, bottom, left, right = pads
        like = draft.tensors[index]
        amounts = np.array([(0, 0), (top, bottom), (left, right), (0, 0)], np.int64)
        places = draft.constant(f"{like.name}/paddings", amounts, _INT32)
        made = len(draft.tensors)
        _, height, width, depth = like.shape
        shape = (1, height + top + bottom, width + left + right, depth)
        name = self._name_of[index, pads]
        draft.tensors.append(replace(like, index=made, name=name, shape=shape))
        options = {"options_type": "PadOptions"}
        operators.append(Operator(0, "PAD", (index, places), (made,), options=options))
        return made
