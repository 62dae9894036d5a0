"""One model under each TFLM that is known: what it takes, or why it does not run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from predictor.cores.core import Core
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import Revision, device_revisions, load_revision
from predictor.model.graph import Graph


@dataclass(frozen=True)
class TflmOutcome:
    """A model under one TFLM with the kernels that it has first.

    Exactly one of ``arena`` and ``refusal`` is None.
    """

    revision: Revision
    arena: ArenaReport | None
    refusal: RefusedError | None

    @property
    def runs(self) -> bool:
        return self.arena is not None and not self.arena.invoke_errors

    @property
    def arena_bytes(self) -> int | None:
        """The arena to set aside, None where TFLM refuses the model."""
        return None if self.arena is None else self.arena.required_bytes

    @property
    def used_bytes(self) -> int | None:
        return None if self.arena is None else self.arena.used_bytes

    @property
    def words(self) -> tuple[str, ...]:
        """Why it does not run, or what to know where it does."""
        if self.refusal is not None:
            return (self.refusal.words,)
        assert self.arena is not None
        found = [f"Invoke fails: {error}" for error in self.arena.invoke_errors]
        if not found:
            found = [f"not exact: {reason}" for reason in self.arena.inexact_reasons]
            found += self.arena.prepared.notes
        return tuple(found)


def under_each_tflm(
    graph: Graph, core: Core, resource_variables: int | None = None
) -> tuple[TflmOutcome, ...]:
    """A model on a core under each TFLM for microcontrollers, by name."""
    return tuple(_outcomes(graph, core, resource_variables))


def _outcomes(graph: Graph, core: Core, resource_variables: int | None) -> Iterator[TflmOutcome]:
    for name in device_revisions():
        revision = load_revision(name, core=core)
        try:
            yield TflmOutcome(revision, arena(graph, revision, resource_variables), None)
        except RefusedError as error:
            yield TflmOutcome(revision, None, error)
