"""Clock cycles of each operator of a model that runs in emulated firmware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from predictor.boards.flash_interface import FlashTiming
from predictor.emulation.cycles import Cycles, OperatorCycles
from predictor.emulation.machine import Machine
from predictor.model.graph import Graph

MARKER_SYMBOL = "runner_running"
"""The word in which the firmware says which operator runs (firmware/runner/operator_counter.cc)."""


class CycleWatch:
    """Counts while a machine runs a graph's model; for emulators that cannot, there are no cycles.

    As ``watch`` of :func:`~predictor.proof.model_run.run_inputs`.

    Args:
        flash: of the board, to count what its core waits for it, too; that takes longer.
    """

    def __init__(self, graph: Graph, flash: FlashTiming | None = None) -> None:
        self._flash = flash
        self._operators = [len(subgraph.operators) for subgraph in graph.subgraphs]
        self._counted: OperatorCycles | None = None

    @contextmanager
    def __call__(self, machine: Machine) -> Iterator[None]:
        self._counted = machine.count_cycles(MARKER_SYMBOL, self._operators, self._flash)
        yield

    def of_operator(self, subgraph: int, index: int) -> Cycles | None:
        """Cycles of one operator over all its calls."""
        return None if self._counted is None else self._counted.of_operator(subgraph, index)
