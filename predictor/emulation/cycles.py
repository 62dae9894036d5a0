"""Clock cycles of an emulated program, by what they go for."""

from __future__ import annotations

from dataclasses import asdict, astuple
from typing import Protocol

from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Cycles:
    """Where clock cycles go.

    Attributes:
        issue: instructions that begin, one or two in a cycle, and waits for their results.
        memory: what loads and stores take beyond, and waits for what was loaded.
        arithmetic: the same of products, divisions and floating point.
        branch: lost where the program goes elsewhere.
    """

    issue: int = 0
    memory: int = 0
    arithmetic: int = 0
    branch: int = 0

    @property
    def total(self) -> int:
        return self.issue + self.memory + self.arithmetic + self.branch

    def parts(self) -> tuple[tuple[str, int], ...]:
        """Each part with its name."""
        return tuple(asdict(self).items())

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class OperatorCycles(Protocol):
    """Cycles apart for each operator, as a machine counts them."""

    def of_operator(self, subgraph: int, index: int) -> Cycles:
        """Over all its calls, without the operators that it called."""
