"""What one inference executes: the work of operators, times how often control flow runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from predictor.boards.board import Board
from predictor.boards.calibration import CoreCosts
from predictor.cost.instructions import Work
from predictor.cost.latency import LatencyEstimate, Timing, features, latency, seconds
from predictor.cost.op_count import Layer
from predictor.records import dataclass
from predictor.semantics.execution import Execution, Part, Place

Path = Counter[Part]


@dataclass(frozen=True)
class Inference:
    """Layers with the work of one run, and how often each runs.

    Args:
        works: of each of ``layers``.
        rounds: what each round of a loop adds, by the loop's operator.
        subgraphs: what each run of a subgraph adds to the work of its layers.
        costs: of the core, by which branches are dear or cheap.
    """

    execution: Execution
    layers: tuple[Layer, ...]
    works: tuple[Work, ...]
    rounds: Mapping[Place, Work]
    subgraphs: tuple[Work, ...]
    costs: CoreCosts

    @cached_property
    def dearest(self) -> Path:
        """Runs with the dearest branches; loops of unknown length run no round."""
        return self.execution.each.path(self._cycles, max)

    @cached_property
    def cheapest(self) -> Path:
        """Runs with the cheapest branches; loops of unknown length run no round."""
        return self.execution.each.path(self._cycles, min)

    @cached_property
    def _parts(self) -> dict[Part, tuple[Work, ...]]:
        found: dict[Part, list[Work]] = {}
        for layer, work in zip(self.layers, self.works, strict=True):
            found.setdefault((layer.subgraph_index, None), []).append(work)
        for index, work in enumerate(self.subgraphs):
            found.setdefault((index, None), []).append(work)
        for (subgraph, operator), work in self.rounds.items():
            found[subgraph, operator] = [work]
        return {part: tuple(works) for part, works in found.items()}

    def _cycles(self, part: Part) -> float:
        return self.costs.cycles(features(self._parts.get(part, ())))

    def works_on(self, path: Path) -> tuple[Work, ...]:
        """All works along a path."""
        return tuple(
            work.times(runs) for part, runs in path.items() for work in self._parts.get(part, ())
        )

    @cached_property
    def dearest_works(self) -> tuple[Work, ...]:
        return self.works_on(self.dearest)

    @cached_property
    def once(self) -> tuple[Work, ...]:
        """What only the first inference does, with the dearest branches."""
        return self.works_on(self.execution.once.path(self._cycles, max))

    @cached_property
    def open_rounds(self) -> dict[Place, tuple[Work, ...]]:
        """Work of a round of each loop whose rounds are not known, with the dearest branches."""
        return {
            place: self.works_on(runs.path(self._cycles, max))
            for place, runs in self.execution.each.open_loops().items()
        }

    @cached_property
    def layer_runs(self) -> tuple[LayerRuns, ...]:
        """How often each layer runs, from the cheapest branches to the dearest."""
        runs = {layer.subgraph_index for layer in self.layers}
        bounds = self.execution.bounds(runs)
        once = self.execution.once.bounds(max)
        return tuple(
            LayerRuns(*bounds[layer.subgraph_index], once[layer.subgraph_index, None])
            for layer in self.layers
        )


@dataclass(frozen=True, slots=True)
class LayerRuns:
    """How often an inference runs a layer at least and at most (None: there is no bound), and how
    often more the first inference does."""

    least: int
    most: int | None
    once: int

    @property
    def shown(self) -> int:
        """Runs for tables: at most, or one round of a loop without bound."""
        return self.most if self.most is not None else max(1, self.least)


def inference_latency(inference: Inference, timing: Timing, board: Board) -> LatencyEstimate:
    """Latency of an inference: an interval from the cheapest branches to the dearest, without an
    upper end where a loop's rounds are not known."""
    dearest = latency(inference.dearest_works, timing, board)
    once_s = seconds(inference.once, timing, board)
    if not inference.execution.may_vary:
        return replace(dearest, once_s=once_s)
    cheapest = latency(inference.works_on(inference.cheapest), timing, board)
    is_open = inference.execution.is_open
    return replace(
        dearest,
        intervals=cheapest.intervals.joined(dearest.intervals, is_open),
        least_s=cheapest.seconds,
        once_s=once_s,
        is_open=is_open,
    )


@dataclass(frozen=True, slots=True)
class LoopRound:
    """A loop of unknown length: its operator and what a round of it takes."""

    subgraph_index: int
    index: int
    seconds: float


def loop_rounds(inference: Inference, timing: Timing, board: Board) -> tuple[LoopRound, ...]:
    """The loops whose rounds are not known, in the order of the model."""
    return tuple(
        LoopRound(*place, seconds(works, timing, board))
        for place, works in sorted(inference.open_rounds.items())
    )
