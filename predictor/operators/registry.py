"""Tables of operators: one row each, gathered from the modules of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from predictor.operators.context import NodeContext
from predictor.operators.families import FAMILIES
from predictor.operators.loops import LoopCounter

if TYPE_CHECKING:
    from predictor.operators.access_order import OverlapRule


class OpCount(NamedTuple):
    """Work of one operator for one inference.

    ``macs``: multiply-accumulates (1 MAC = 2 ops), counted over the whole output, padding
    included, as in the paper. ``other_ops``: elementary operations on output or input elements
    that are not MACs (additions, comparisons, table look-ups, copies count one each).
    """

    macs: int = 0
    other_ops: int = 0


Step = Callable[[NodeContext], None]
Counter = Callable[[NodeContext], OpCount]


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """All that is known of an operator.

    ``params``: C struct that TFLM's parser allocates for the builtin options (None: none).
    ``init`` and ``prepare`` mirror the kernel's steps; None where TFLM registers none.
    ``highest_version``: newest operator version that TFLM's own list registers, None where it
    does not ask for the version. ``loops``: how often its kernel runs its loops, None where that
    is not known. ``overlap``: how far its output may overlap its inputs, None where it never may.
    ``round_loops``: of an operator that runs subgraphs in rounds, what each round adds.
    """

    name: str
    prepare: Step | None
    count: Counter
    init: Step | None = None
    params: str | None = None
    highest_version: int | None = None
    loops: LoopCounter | None = None
    overlap: OverlapRule | None = None
    round_loops: LoopCounter | None = None


class OperatorTable:
    """The operators of one generation of TFLM's kernels.

    Args:
        package: where the modules lie that register the rows.
        families: names of the operators that each module registers when it is imported.
    """

    def __init__(self, package: str, families: Mapping[str, tuple[str, ...]]) -> None:
        self._package = package
        self._family_of = {name: family for family in families for name in families[family]}
        self._rows: dict[str, OperatorRow] = {}

    def register(
        self,
        *names: str,
        prepare: Step | None,
        count: Counter,
        init: Step | None = None,
        params: str | None = None,
        highest_version: int | None = None,
        loops: LoopCounter | None = None,
        overlap: OverlapRule | None = None,
        round_loops: LoopCounter | None = None,
    ) -> None:
        """Adds a row for each name (a builtin operator, or the code of a custom operator)."""
        for name in names:
            if name in self._rows or name not in self._family_of:
                raise ValueError(f"operator {name} is registered twice or has no family")
            self._rows[name] = OperatorRow(
                name,
                prepare,
                count,
                init,
                params,
                highest_version,
                loops,
                overlap,
                round_loops,
            )

    def find(self, name: str) -> OperatorRow | None:
        """The row of an operator, None if this TFLM has no such operator."""
        row = self._rows.get(name)
        if row is None and name in self._family_of:
            import_module(f"{self._package}.{self._family_of[name]}")
            row = self._rows[name]
        return row

    def names(self) -> tuple[str, ...]:
        """Names of all operators in the table, sorted."""
        return tuple(sorted(self._family_of))

    def rows_of(self, family: str) -> tuple[str, ...]:
        """Names of the operators that a module has registered, sorted."""
        import_module(f"{self._package}.{family}")
        return tuple(sorted(name for name in self._rows if self._family_of[name] == family))


OPERATORS = OperatorTable("predictor.operators", FAMILIES)
"""The operators of current TFLM."""

register = OPERATORS.register


def count_nothing(_: NodeContext) -> OpCount:
    """For operators that move no data (reshape onto the same memory, control flow)."""
    return OpCount()


def count_outputs(ctx: NodeContext) -> OpCount:
    """One elementary operation for each output element."""
    outputs = (ctx.output(position) for position in range(len(ctx.op.outputs)))
    return OpCount(0, sum(ctx.element_count(tensor) for tensor in outputs if tensor is not None))


def count_inputs(ctx: NodeContext) -> OpCount:
    """One elementary operation for each element of the first input (reductions)."""
    tensor = ctx.input(0)
    return OpCount(0, 0 if tensor is None else ctx.element_count(tensor))
