"""Rows of operators, by the folder of kernels that they mirror, laid over each other.

TFLM makes a kernel set of folders: ``micro/kernels`` has a kernel for each operator, and
``micro/kernels/cmsis_nn`` has files that take the place of some of them. It is the same here: a
folder registers rows, or only those columns in which its kernel differs from the one below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

from predictor.model.graph import Graph
from predictor.operators.context import GraphState, NodeContext
from predictor.operators.loops import LoopCounter
from predictor.records import dataclass

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from predictor.operators.access_order import OverlapRule

# A module may call it with columns that its rows share: ``_register = partial(register, ...)``.
_REGISTERED = re.compile(r'^_?register\(\s*((?:"\w+",?\s*)+)', re.MULTILINE)
_NAME = re.compile(r'"(\w+)"')


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
Steering = Callable[[NodeContext], Mapping[str, Any] | None]
Sizeof = Callable[[str], int]


class RowColumns(TypedDict, total=False):
    """Columns of an :class:`OperatorRow`."""

    prepare: Step | None
    count: Counter
    init: Step | None
    params: str | None
    highest_version: int | None
    loops: LoopCounter | None
    round_loops: LoopCounter | None
    overlap: OverlapRule | None
    steered: Steering | None
    application_bytes: Callable[[GraphState, Sizeof], tuple[int, ...]] | None
    has_effects: bool


class Columns(RowColumns, total=False):
    """What a folder registers; columns that it leaves out are as below it.

    ``around`` makes Prepare from the step of the kernel below.
    """

    around: Callable[[Step | None], Step]


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """All that is known of an operator with one kernel.

    ``params``: C struct that TFLM's parser allocates for the builtin options (None: none).
    ``init`` and ``prepare`` mirror the kernel's steps; None where TFLM registers none.
    ``highest_version``: newest operator version that TFLM's own list registers, None where it
    does not ask for the version. ``loops``: how often its kernel runs its loops, None where that
    is not known; ``round_loops``: of an operator that runs subgraphs in rounds, what each round
    adds. ``overlap``: how far its output may overlap its inputs, None where it never may.
    ``steered``: options that give the same results by a kernel whose output may overlap its input.
    ``application_bytes``: persistent buffers that an application asks for before it creates the
    interpreter, once for all operators that name the same function. ``has_effects``: whether it
    does more than to write its outputs, so that it keeps its place in the order. ``below``: the row
    of the kernel in whose place this one stands, None where there is none.
    """

    name: str
    prepare: Step | None
    count: Counter
    init: Step | None = None
    params: str | None = None
    highest_version: int | None = None
    loops: LoopCounter | None = None
    round_loops: LoopCounter | None = None
    overlap: OverlapRule | None = None
    steered: Steering | None = None
    application_bytes: Callable[[GraphState, Sizeof], tuple[int, ...]] | None = None
    has_effects: bool = False
    below: OperatorRow | None = None

    @property
    def reference(self) -> OperatorRow:
        """The row of the undermost kernel, this one itself where it replaces none."""
        return self if self.below is None else self.below.reference


class Overlay:
    """The kernels of one folder. Its modules are imported when one of their operators is first met.

    Args:
        package: the folder's package, or a module that registers all rows itself.
        names: the operators of such a module.
        is_closed: whether operators that the folder lacks do not exist, whatever lies below.
        serves: the models for which its kernels are registered; None for all.
        runs_device_models: whether it has the custom operators of device models.
    """

    def __init__(
        self,
        package: str,
        names: Iterable[str] = (),
        *,
        is_closed: bool = False,
        serves: Callable[[Graph], bool] | None = None,
        runs_device_models: bool = False,
    ) -> None:
        self.is_closed, self.serves = is_closed, serves
        self.runs_device_models = runs_device_models
        self.package = package
        self._module_of = dict.fromkeys(names, package) or _modules(package)
        self._columns: dict[str, Columns] = {}

    def register(self, *names: str, **columns: Unpack[Columns]) -> None:
        """Adds columns for each name: a builtin operator, or the code of a custom operator."""
        for name in names:
            if name in self._columns:
                raise ValueError(f"operator {name} is registered twice in {self.package}")
            self._columns[name] = columns

    def columns(self, name: str) -> Columns | None:
        """What the folder's kernel of an operator has of its own, None where it has no such."""
        found = self._columns.get(name)
        if found is None and name in self._module_of:
            import_module(self._module_of[name])
            found = self._columns[name]
        return found

    def names(self) -> frozenset[str]:
        """Operators of which the folder has a kernel."""
        return frozenset(self._module_of)


def _modules(package: str) -> dict[str, str]:
    """Which module of a package registers which operator, as its source says.

    A model uses a handful of the operators: to import all modules takes longer than to read them.
    """
    folder = Path(str(import_module(package).__file__)).parent
    return {
        name: f"{package}.{path.stem}"
        for path in folder.glob("*.py")
        for call in _REGISTERED.finditer(path.read_text(encoding="utf-8"))
        for name in _NAME.findall(call[1])
    }


class OperatorTable:
    """Operators of which each has the kernel of the topmost overlay that has one.

    Args:
        overlays: the topmost first.
        on: operators that kernels of the overlays stand beside; theirs are not ``below``.
        absent: operators that this TFLM lacks.
        left: operators that have no kernel but that of ``on``.
    """

    def __init__(
        self,
        overlays: tuple[Overlay, ...],
        on: OperatorTable | None = None,
        absent: frozenset[str] = frozenset(),
        left: frozenset[str] = frozenset(),
    ) -> None:
        self._overlays, self._on, self._absent, self._left = overlays, on, absent, left
        self._rows: dict[str, OperatorRow] = {}

    def find(self, name: str) -> OperatorRow | None:
        """The row of an operator, None if this TFLM has no such operator."""
        found = self._rows.get(name)
        if found is None and name not in self._absent:
            found = self._row(name)
            if found is not None:
                self._rows[name] = found
        return found

    def _row(self, name: str) -> OperatorRow | None:
        row = self._on.find(name) if self._on is not None else None
        if name in self._left:
            return row
        below = None
        for item in reversed(self._overlays):
            columns = item.columns(name)
            if columns is not None:
                row = _overlaid(name, row, columns, below)
                below = row
            elif item.is_closed:
                row = below = None
        return row

    def names(self) -> tuple[str, ...]:
        """Names of all operators in the table, sorted."""
        own = frozenset().union(*(item.names() for item in self._overlays))
        known = own if self._on is None else own.union(self._on.names())
        return tuple(sorted(name for name in known if self.find(name) is not None))


def _overlaid(
    name: str, row: OperatorRow | None, columns: Columns, below: OperatorRow | None
) -> OperatorRow:
    own = cast("RowColumns", {key: value for key, value in columns.items() if key != "around"})
    around = columns.get("around")
    if around is not None:
        own["prepare"] = around(None if row is None else row.prepare)
    if row is None:
        return OperatorRow(name=name, **own)
    return replace(row, below=below, **own)


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
