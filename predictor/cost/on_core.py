"""What a model takes on a core, whatever the board around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

from predictor.boards.calibration import CoreCosts
from predictor.cost.inference import Inference
from predictor.cost.instructions import (
    Work,
    all_loops,
    round_loops,
    round_work,
    subgraph_work,
    work,
)
from predictor.cost.op_count import Layer, OpCountReport, layers, totals
from predictor.memory.arena_report import ArenaReport
from predictor.memory.flash import FlashReport
from predictor.operators.loops import Loops
from predictor.records import dataclass
from predictor.semantics.execution import Execution, execution


@dataclass(frozen=True)
class OnCore:
    """What a model takes with the kernels that a core runs, whatever the board.

    ``like`` is the same on a core that runs the same kernels, if there is one: what does not
    depend on the core is counted once.
    """

    arena: ArenaReport
    flash: FlashReport
    like: OnCore | None = field(default=None, repr=False)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return layers(self.arena.prepared) if self.like is None else self.like.layers

    @cached_property
    def execution(self) -> Execution:
        return execution(self.arena.prepared.graph) if self.like is None else self.like.execution

    @cached_property
    def ops(self) -> OpCountReport:
        return totals(self.layers, self.execution) if self.like is None else self.like.ops

    @cached_property
    def _loops(self) -> tuple[Loops | None, ...]:
        if self.like is not None:
            return self.like._loops
        return all_loops(self.arena.prepared)

    @cached_property
    def works(self) -> tuple[Work, ...]:
        return work(self.arena.prepared, self.layers, self._loops)

    @cached_property
    def rounds(self) -> Mapping[tuple[int, int], Work]:
        """What a round of each loop adds, by (subgraph, operator)."""
        return round_work(self.arena.prepared.revision, self._round_loops)

    @cached_property
    def _round_loops(self) -> Mapping[tuple[int, int], Loops]:
        if self.like is not None:
            return self.like._round_loops
        return round_loops(self.arena.prepared)

    @cached_property
    def _inferences(self) -> dict[CoreCosts, Inference]:
        return {}

    def inference(self, costs: CoreCosts) -> Inference:
        """What one inference runs at so many cycles, one object for all boards that take them."""
        if costs not in self._inferences:
            self._inferences[costs] = Inference(
                self.execution,
                self.layers,
                self.works,
                self.rounds,
                subgraph_work(self.arena.prepared),
                costs,
            )
        return self._inferences[costs]
