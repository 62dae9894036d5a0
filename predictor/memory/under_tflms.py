"""One model under each TFLM that is known: what it takes, or why it does not run."""

from __future__ import annotations

from dataclasses import dataclass

from predictor.cores.core import Core
from predictor.errors import RefusedError, UsageError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import Revision, device_revisions, load_revision
from predictor.model.graph import Graph

_MOST_WORDS = 20
_MOST_PARTS = 120_000
"""Parts of a model under all TFLMs together."""


@dataclass(frozen=True)
class TflmOutcome:
    """A model under one TFLM with the kernels that it has first.

    Only figures: the reports of all TFLMs together would take much memory.

    Args:
        runs: neither refused nor failing when it runs.
        arena_bytes: the arena to set aside, None where TFLM refuses the model.
        words: why it does not run, or what to know where it does.
    """

    revision: Revision
    runs: bool
    arena_bytes: int | None
    used_bytes: int | None
    words: tuple[str, ...]


def under_each_tflm(
    graph: Graph, core: Core, resource_variables: int | None = None
) -> tuple[TflmOutcome, ...]:
    """A model on a core under each TFLM for microcontrollers, by name.

    Raises:
        UsageError: the model is too large to be prepared by all.
    """
    names = device_revisions()
    if graph.part_count * len(names) > _MOST_PARTS:
        raise UsageError(
            f"a model of {graph.part_count:,} tensors, operators, inputs and outputs takes too "
            f"long under {len(names)} TFLMs: name one"
        )
    return tuple(
        under_tflm(graph, load_revision(name, core=core), resource_variables) for name in names
    )


def under_tflm(
    graph: Graph, revision: Revision, resource_variables: int | None = None
) -> TflmOutcome:
    """A model under one TFLM."""
    try:
        report = arena(graph, revision, resource_variables)
    except RefusedError as error:
        return TflmOutcome(revision, False, None, None, (error.words,))
    return TflmOutcome(
        revision,
        not report.invoke_errors,
        report.required_bytes,
        report.used_bytes,
        _words(report),
    )


def _words(report: ArenaReport) -> tuple[str, ...]:
    found = [f"Invoke fails: {error}" for error in report.invoke_errors]
    if not found:
        found = [f"not exact: {reason}" for reason in report.inexact_reasons]
        found += report.prepared.notes
    if len(found) > _MOST_WORDS:
        found[_MOST_WORDS:] = [f"and {len(found) - _MOST_WORDS:,} more"]
    return tuple(found)
