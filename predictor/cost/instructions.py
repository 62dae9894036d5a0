"""Instructions that a model executes, from shapes alone.

Each operator's row says how often the loops of its kernel run (``OperatorRow.loops``); the tables
in ``coefficients/`` say what one run costs on a core with a kernel set. Operators without such a
formula get a proxy from their operation counts, and are labelled so.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from predictor.cost.op_count import Layer
from predictor.memory.prepared import PreparedGraph, PreparedNode
from predictor.memory.revision import Revision, lineage
from predictor.operators.kernel_set import KernelSet
from predictor.operators.loops import Loops
from predictor.records import dataclass

_FOLDER = Path(__file__).parent / "coefficients"

_COUNTED_REVISION = "2026.08"
"""TFLM under which layers with the project's own kernels were counted."""
LEAST_LAYERS = 4
"""Costs that rest on fewer layers are no better than a proxy."""
INTERPRETER_STEP = "interpreter.operator"
"""What the interpreter's own loop adds to each operator."""
SUBGRAPH_STEP, BETWEEN_STEP = "interpreter.subgraph", "interpreter.between"
"""What it adds to a run of a subgraph, and to each operator of it beyond that."""


class Basis(Enum):
    """What a layer's counts rest on."""

    MODEL = "model"
    OTHER_CORE = "model of another core"
    OTHER_REVISION = "model of another TFLM"
    PROXY = "proxy"
    EMULATED = "emulated"


@dataclass(frozen=True, slots=True)
class Work:
    """Counts of one operator for one inference.

    ``loads`` and ``stores`` count memory accesses: a load of two words counts two.
    ``mac_instructions``: multiply-accumulate instructions, of which a SIMD core needs one for two
    MACs. ``streamed_bytes``: weights that are read once from flash.
    """

    instructions: float = 0
    loads: float = 0
    stores: float = 0
    unaligned_loads: float = 0
    mac_instructions: float = 0
    streamed_bytes: int = 0
    basis: Basis = Basis.MODEL

    def times(self, runs: int) -> Work:
        """Counts of so many runs."""
        if runs == 1:
            return self
        return Work(
            runs * self.instructions,
            runs * self.loads,
            runs * self.stores,
            runs * self.unaligned_loads,
            runs * self.mac_instructions,
            runs * self.streamed_bytes,
            self.basis,
        )


@dataclass(frozen=True, slots=True)
class Costs:
    """What one run of a loop costs. ``layers``: on how many counted layers that rests."""

    instructions: float
    loads: float
    stores: float
    mac_instructions: float
    layers: float


CostTable = Mapping[str, Costs]
"""Costs by loop."""


def load_costs(revision: Revision) -> CostTable:
    """The table for a revision with a kernel set on a core; empty where none was measured."""
    return costs_of(revision.name, revision.kernel_set, counted_core(revision))


@cache
def costs_of(revision: str, kernel_set: KernelSet, core: str) -> CostTable:
    """The table as counted on a core; empty where it was not."""
    path = _path(revision, kernel_set, core)
    own = {**shared_costs(), **_read(path)} if path.is_file() else {}
    if kernel_set.on is None:
        return own
    # Operators without a kernel beside TFLM's run with that of its library.
    return {**costs_of(revision, kernel_set.on, core), **own}


@cache
def counted_core(revision: Revision) -> str:
    """The core on which the costs were counted: the core itself, else one that serves in its
    stead, else the core again, for which there are none."""
    names, kernel_set = revision.core.measured_as, revision.kernel_set
    known = (name for name in names if _path(revision.name, kernel_set, name).is_file())
    return next(known, names[0])


def _path(revision: str, kernel_set: KernelSet, core: str) -> Path:
    counted = _counted_revision(revision, kernel_set)
    return _FOLDER / f"{counted}_{kernel_set.counted_as}_{core}.csv"


@cache
def _counted_revision(revision: str, kernel_set: KernelSet) -> str:
    """The TFLM under which the kernels were counted: that revision, else the nearest base."""
    if kernel_set.on is not None:
        # Kernels that are linked beside TFLM's are the same under any TFLM.
        return _COUNTED_REVISION
    pattern = f"_{kernel_set.counted_as}_*.csv"
    known = (name for name in lineage(revision) if any(_FOLDER.glob(name + pattern)))
    return next(known, revision)


def loops_of(node: PreparedNode) -> Loops | None:
    """The loops of an operator and the interpreter's step to it, None where they are not known."""
    counter = node.row.loops
    loops = counter(node.context) if counter is not None else None
    if loops is None or not loops.terms:
        return None
    loops.terms[INTERPRETER_STEP] = 1
    return loops


def all_loops(prepared: PreparedGraph) -> tuple[Loops | None, ...]:
    """The loops of all operators; those that are equal are one object."""
    known: dict[Any, Loops | None] = {}
    found = []
    for loops in map(loops_of, prepared.nodes):
        key = None if loops is None else loops.key
        found.append(known.setdefault(key, loops))
    return tuple(found)


@cache
def shared_costs() -> CostTable:
    """Costs of the C library's loops and of the interpreter, which all kernels share."""
    return _read(_FOLDER / "common.csv")


def _read(path: Path) -> CostTable:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        next(rows)
        return {term: Costs(*map(float, values)) for term, *values in rows}


@cache
def proxy_costs() -> CostTable:
    """Costs of an operator call, a MAC and another operation, by kernel set."""
    return _read(_FOLDER / "proxy.csv")


def work(
    prepared: PreparedGraph,
    layers: Iterable[Layer],
    loops: Iterable[Loops | None] | None = None,
) -> tuple[Work, ...]:
    """Counts of each operator on the core it was prepared for, in the order of ``layers``.

    Args:
        loops: of each operator, where the caller has them.
    """
    if loops is None:
        loops = all_loops(prepared)
    revision = prepared.revision
    core = revision.core
    costs = load_costs(revision)
    counted = counted_core(revision)
    is_scaled = core.stand_in is not None and counted == core.measured_as[-1]
    # Those before the last of the cores that serve in its stead execute the same.
    is_own = not is_scaled and (core.stand_in is not None or counted == core.measured_as[0])
    basis = Basis.MODEL if is_own else Basis.OTHER_CORE
    source = _counted_revision(revision.name, revision.kernel_set)
    if is_own and revision.kernel_set.on is None and source != revision.name:
        basis = Basis.OTHER_REVISION
    mean_ratio = core.stand_in.ratio if core.stand_in is not None and not is_scaled else 1.0
    ratio = core.stand_in.ratio if core.stand_in is not None and is_scaled else None
    known: dict[tuple[Loops | None, int, int], Work] = {}
    works = []
    for layer, runs in zip(layers, loops, strict=True):
        alike = runs, layer.macs, layer.other_ops
        if alike not in known:
            made = _work(layer, runs, revision.kernel_set.counted_as, costs, basis, mean_ratio)
            known[alike] = made if ratio is None else _scaled(made, ratio)
        works.append(known[alike])
    return tuple(works)


def _scaled(item: Work, ratio: float) -> Work:
    """Counts of another core, by how many times as many instructions this one takes."""
    return replace(
        item,
        instructions=item.instructions * ratio,
        loads=item.loads * ratio,
        stores=item.stores * ratio,
        mac_instructions=item.mac_instructions * ratio,
    )


def _work(
    layer: Layer,
    loops: Loops | None,
    kernels: str,
    costs: CostTable,
    basis: Basis,
    mean_ratio: float,
) -> Work:
    """``basis``: what loops with costs rest on; others rest on the kernel set's mean cost, times
    ``mean_ratio`` for the core."""
    if loops is not None and loops.terms.keys() <= costs.keys():
        is_sure = is_model(costs[term].layers for term in loops.terms)
        return _sum(loops, costs, basis if is_sure else Basis.PROXY)
    proxy = Loops()
    proxy.add(kernels, call=1, mac=layer.macs, other_op=layer.other_ops)
    return _scaled(_sum(proxy, proxy_costs(), Basis.PROXY), mean_ratio)


def is_model(layers: Iterable[float]) -> bool:
    """Whether loops whose costs rest on so many layers each make a model, not a mere proxy."""
    return min(layers, default=0) >= LEAST_LAYERS


def round_loops(prepared: PreparedGraph) -> dict[tuple[int, int], Loops]:
    """Loops that each round of an operator adds, by (subgraph, operator)."""
    found = {}
    for node in prepared.nodes:
        counter = node.row.round_loops
        loops = counter(node.context) if counter is not None else None
        if loops is not None:
            found[node.context.subgraph.index, node.context.op.index] = loops
    return found


def round_work(
    revision: Revision, rounds: Mapping[tuple[int, int], Loops]
) -> dict[tuple[int, int], Work]:
    """Counts of the rounds whose loops are known, by (subgraph, operator)."""
    costs = load_costs(revision)
    return {
        place: _sum(loops, costs, Basis.MODEL)
        for place, loops in rounds.items()
        if loops.terms.keys() <= costs.keys()
    }


def subgraph_work(prepared: PreparedGraph) -> tuple[Work, ...]:
    """Counts that the interpreter adds to the operators of each subgraph when it runs it."""
    return tuple(
        interpreter_work(prepared.revision, len(subgraph.operators))
        for subgraph in prepared.graph.subgraphs
    )


def interpreter_work(revision: Revision, operators: int) -> Work:
    """What running a subgraph of so many operators takes beside them."""
    costs = load_costs(revision)
    if SUBGRAPH_STEP not in costs:
        return Work()
    loops = Loops()
    loops.terms = {SUBGRAPH_STEP: 1, BETWEEN_STEP: operators}
    return _sum(loops, costs, Basis.MODEL)


def _sum(loops: Loops, costs: CostTable, basis: Basis) -> Work:
    instructions = loads = stores = mac_instructions = 0.0
    for term, runs in loops.terms.items():
        price = costs[term]
        instructions += runs * price.instructions
        loads += runs * price.loads
        stores += runs * price.stores
        mac_instructions += runs * price.mac_instructions
    return Work(
        instructions,
        loads,
        stores,
        loops.unaligned_loads,
        mac_instructions,
        loops.streamed_bytes,
        basis,
    )


def total(works: Iterable[Work]) -> Work:
    """The sum of layers; it rests on the weakest basis among them."""
    works = tuple(works)
    bases = {item.basis for item in works}
    weakest_first = (Basis.PROXY, Basis.OTHER_CORE, Basis.MODEL)
    return Work(
        instructions=sum(item.instructions for item in works),
        loads=sum(item.loads for item in works),
        stores=sum(item.stores for item in works),
        unaligned_loads=sum(item.unaligned_loads for item in works),
        mac_instructions=sum(item.mac_instructions for item in works),
        streamed_bytes=sum(item.streamed_bytes for item in works),
        basis=next((basis for basis in weakest_first if basis in bases), Basis.EMULATED),
    )
