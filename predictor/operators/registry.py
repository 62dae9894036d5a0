"""The table of operators: one row each, gathered from the modules of this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple

from predictor.operators.context import NodeContext
from predictor.operators.families import FAMILY_OF


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
    """

    name: str
    prepare: Step | None
    count: Counter
    init: Step | None = None
    params: str | None = None


_rows: dict[str, OperatorRow] = {}


def register(
    *names: str,
    prepare: Step | None,
    count: Counter,
    init: Step | None = None,
    params: str | None = None,
) -> None:
    """Adds a row for each name (a builtin operator, or the custom code of a custom operator)."""
    for name in names:
        if name in _rows or name not in FAMILY_OF:
            raise ValueError(f"operator {name} is registered twice or has no family")
        _rows[name] = OperatorRow(name, prepare, count, init, params)


def find(name: str) -> OperatorRow | None:
    """The row of an operator, None if TFLM has no such operator."""
    row = _rows.get(name)
    if row is None and name in FAMILY_OF:
        import_module(f"predictor.operators.{FAMILY_OF[name]}")
        row = _rows[name]
    return row


def names() -> tuple[str, ...]:
    """Names of all operators in the registry, sorted."""
    return tuple(sorted(FAMILY_OF))


def rows_of(family: str) -> tuple[str, ...]:
    """Names of the operators that a module has registered, sorted."""
    import_module(f"predictor.operators.{family}")
    return tuple(sorted(name for name in _rows if FAMILY_OF.get(name) == family))


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
