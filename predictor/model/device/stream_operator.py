"""Puts one operator in the place of each group that runs in rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from predictor.errors import UsageError
from predictor.model.device.options import VERSION
from predictor.model.device.stream_group import Group, MadeGroup, made_group, stream_layers
from predictor.model.graph import OPTIONAL_TENSOR, Operator, Subgraph

Groups = Sequence[tuple[Group, MadeGroup]]


def made_groups(
    subgraph: Subgraph, groups: Sequence[Group], prepared: Collection[int]
) -> list[tuple[Group, MadeGroup]]:
    """The operators in the place of groups of a subgraph.

    Raises:
        UsageError: the operators of a group cannot be one.
    """
    found = []
    layers = stream_layers(subgraph) if groups else []
    for group in groups:
        made = None
        if group.first >= 0 and group.operators.stop <= len(layers):
            made = made_group(subgraph, layers, group, prepared)
        if made is None:
            raise UsageError(f"the operators from {group.first} on cannot be one in rows")
        found.append((group, made))
    return found


def in_rows(subgraph: Subgraph, groups: Groups) -> Subgraph:
    """The subgraph with one operator for each group, without the tensors inside them."""
    made = {group.operators.stop - 1: operator for group, operator in groups}
    inside = {index for group, _ in groups for index in group.operators}
    operators: list[Operator] = []
    for op in subgraph.operators:
        if op.index in made:
            group = made[op.index]
            op = Operator(
                index=op.index,
                name=group.options.code,
                inputs=group.inputs,
                outputs=(group.output,),
                custom_options=group.options.pack(),
                is_custom=True,
                version=VERSION,
            )
        elif op.index in inside:
            continue
        operators.append(replace(op, index=len(operators)))
    inner = {
        subgraph.operators[index].outputs[0]
        for group, _ in groups
        for index in group.operators[:-1]
    }
    return _without_tensors(replace(subgraph, operators=tuple(operators)), inner)


def _without_tensors(subgraph: Subgraph, removed: Collection[int]) -> Subgraph:
    """The subgraph without tensors that no operator has any more: TFLM would plan them."""
    kept = [tensor for tensor in subgraph.tensors if tensor.index not in removed]
    index_of = {tensor.index: index for index, tensor in enumerate(kept)}
    index_of[OPTIONAL_TENSOR] = OPTIONAL_TENSOR

    def moved(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(index_of[index] for index in indices)

    return replace(
        subgraph,
        tensors=tuple(replace(tensor, index=index_of[tensor.index]) for tensor in kept),
        operators=tuple(
            replace(
                op,
                inputs=moved(op.inputs),
                outputs=moved(op.outputs),
                intermediates=moved(op.intermediates),
            )
            for op in subgraph.operators
        ),
        inputs=moved(subgraph.inputs),
        outputs=moved(subgraph.outputs),
    )
