"""What a rule may look at, and where the rule of an operator is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module

from predictor.model.graph import Graph, Operator, Tensor
from predictor.records import dataclass
from predictor.semantics.values import Value

Shape = tuple[int, ...]
MOST_RANK = 8
"""Dimensions that TFLM's kernels know at most."""
FAMILIES = ("windows", "elementwise", "weighted", "movement", "reductions", "control")
"""Modules with rules, those first that most models need."""


class UnknownShapeError(Exception):
    """No shape follows: something is not known before the model runs, or is malformed."""


def need(holds: bool) -> None:
    """Gives up where a rule does not apply.

    Raises:
        UnknownShapeError: it does not hold.
    """
    if not holds:
        raise UnknownShapeError


@dataclass(frozen=True, slots=True)
class Call:
    """An operator with its inputs; ``value_of`` gives the value of a tensor where it is known."""

    graph: Graph
    op: Operator
    inputs: tuple[Tensor | None, ...]
    value_of: Callable[[Tensor], Value | None]

    def shape(self, position: int = 0) -> Shape:
        """The shape of an input.

        Raises:
            UnknownShapeError: there is no such input, or its shape is none.
        """
        tensor = self._tensor(position)
        need(tensor.has_shape and len(tensor.shape) <= MOST_RANK)
        need(min(tensor.shape, default=1) > 0)
        return tensor.shape

    def values(self, position: int) -> Shape:
        """The whole numbers that an input holds.

        Raises:
            UnknownShapeError: they are not known.
        """
        value = self.value_of(self._tensor(position))
        if value is None:
            raise UnknownShapeError
        return tuple(map(int, value.items))

    def option(self, name: str, default: int = 0) -> int:
        """A number among the options."""
        found = self.op.options.get(name, default)
        return int(found) if isinstance(found, int | float) else default

    def has(self, position: int) -> bool:
        """Whether an optional input is there."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def _tensor(self, position: int) -> Tensor:
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise UnknownShapeError
        return tensor


Rule = Callable[[Call], Sequence[Shape]]


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the first one.

    Raises:
        UnknownShapeError: there is no such axis.
    """
    need(-rank <= axis < rank)
    return axis % rank


@cache
def rule_of(name: str) -> Rule | None:
    """The rule of a builtin operator, None where no shape follows.

    Families are imported one after the other, as most models need a few of them.
    """
    found = (rules_of(family).get(name) for family in FAMILIES)
    return next((rule for rule in found if rule is not None), None)


def rules_of(family: str) -> Mapping[str, Rule]:
    """The rules of one family by operator."""
    found: Mapping[str, Rule] = import_module(f"predictor.semantics.shape_rules.{family}").RULES
    return found
