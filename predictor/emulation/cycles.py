"""Clock cycles of an emulated program, by what they go for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FlashCycles:
    """What a core waits for its flash.

    Attributes:
        code: for instructions.
        constants: for what is loaded from there, such as weights; and where loads from another
            memory follow or go before, what neighbouring loads from one would hide.
    """

    code: int = 0
    constants: int = 0


@dataclass(frozen=True, slots=True)
class Cycles:
    """Where clock cycles go.

    Attributes:
        issue: instructions that begin, one or two in a cycle, and waits for their results.
        memory: what loads and stores take beyond, and waits for what was loaded.
        arithmetic: the same of products, divisions and floating point.
        branch: lost where the program goes elsewhere.
        flash: waits for the flash, None where they were not counted.
    """

    issue: int = 0
    memory: int = 0
    arithmetic: int = 0
    branch: int = 0
    flash: FlashCycles | None = None

    @property
    def total(self) -> int:
        return sum(cycles for _, cycles in self.parts())

    def parts(self) -> tuple[tuple[str, int], ...]:
        """Each part with its name."""
        parts = (
            ("issue", self.issue),
            ("memory", self.memory),
            ("arithmetic", self.arithmetic),
            ("branch", self.branch),
        )
        if self.flash is None:
            return parts
        return (*parts, ("code", self.flash.code), ("constants", self.flash.constants))


def total_cycles(items: Iterable[Cycles]) -> Cycles:
    """Sum of each part; waits for the flash only where all have counted them."""
    items = tuple(items)
    flash = [item.flash for item in items if item.flash is not None]
    return Cycles(
        sum(item.issue for item in items),
        sum(item.memory for item in items),
        sum(item.arithmetic for item in items),
        sum(item.branch for item in items),
        FlashCycles(sum(it.code for it in flash), sum(it.constants for it in flash))
        if len(flash) == len(items)
        else None,
    )


class OperatorCycles(Protocol):
    """Cycles apart for each operator, as a machine counts them."""

    def of_operator(self, subgraph: int, index: int) -> Cycles:
        """Over all its calls, without the operators that it called."""
