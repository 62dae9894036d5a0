"""What is known of the TFLMs that can be predicted, and one model under each of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from predictor.boards.board import shipped_boards
from predictor.escapes import printable
from predictor.memory.revision import (
    DEFAULT_REVISION,
    STATIC,
    Revision,
    device_revisions,
    kernel_sets,
    load_revision,
)
from predictor.memory.under_tflms import TflmOutcome
from predictor.report.json_report import SCHEMA_VERSION, dumps
from predictor.report.markdown import escape
from predictor.words import counted

_WIDTH = 80
_NAME_WIDTH = 20


def revisions_text() -> str:
    """One line for each TFLM: name, kernels, count of operators, title."""
    lines = [f"{'TFLM':{_NAME_WIDTH}} {'kernels':9} {'operators':>9}  what it is"]
    for name in device_revisions():
        found = load_revision(name)
        operators = len(found.kernel_set.operator_names)
        lines += _hanging(f"{name:{_NAME_WIDTH}} {found.kernels:9} {operators:9}  ", found.title)
    return "\n".join(lines) + "\n"


def revision_text(name: str) -> str:
    """What one TFLM is, has, and lacks.

    Raises:
        RevisionError: no such revision.
    """
    found = load_revision(name)
    lines = [found.name, *_row("title", found.title), *_row("source", found.source)]
    lines += _row("TFLM", f"upstream {found.commit}")
    if found.cmsis_nn_version:
        lines += _row("CMSIS-NN", found.cmsis_nn_version)
    lines += _row("kernels", ", ".join(kernel_sets(name)))
    lines += _row("tensors", _tensor_words(found))
    boards = ", ".join(board.name for board in shipped_boards() if board.tflm == name)
    if boards:
        lines += _row("boards", f"{boards}: the TFLM that these are predicted with")
    if found.note:
        lines += _row("note", found.note)
    lines += _operators(found)
    return "\n".join(lines) + "\n"


def _row(heading: str, words: str) -> list[str]:
    return _hanging(f"{heading:10}", words)


def _tensor_words(revision: Revision) -> str:
    size = revision.structs.size_of("TfLiteTensor")
    if not revision.is_static:
        return (
            f"{size} bytes each: it ships without TF_LITE_STATIC_MEMORY; "
            f"{revision.name}{STATIC} is a build with it"
        )
    return f"{size} bytes each, with TF_LITE_STATIC_MEMORY"


def _differences(revision: Revision) -> tuple[list[str], list[str]]:
    """Operators that current TFLM has and this one lacks, and the other way round."""
    own = set(revision.kernel_set.operator_names)
    newest = set(load_revision(DEFAULT_REVISION).kernel_set.operator_names)
    return sorted(newest - own), sorted(own - newest)


def _operators(revision: Revision) -> Iterable[str]:
    lacks, adds = _differences(revision)
    yield from _row("operators", ", ".join(revision.kernel_set.operator_names))
    if lacks:
        yield from _row("lacks", f"of what {DEFAULT_REVISION} has: " + ", ".join(lacks))
    if adds:
        yield from _row("adds", ", ".join(adds))


def revision_json(name: str) -> dict[str, Any]:
    """The same as JSON values.

    Raises:
        RevisionError: no such revision.
    """
    found = load_revision(name)
    lacks, adds = _differences(found)
    return {
        "name": found.name,
        "title": found.title,
        "source": found.source,
        "commit": found.commit,
        "cmsis_nn_version": found.cmsis_nn_version,
        "kernel_sets": list(kernel_sets(name)),
        "static_memory": found.is_static,
        "operators": list(found.kernel_set.operator_names),
        "lacks": lacks,
        "adds": adds,
    }


def outcomes_text(outcomes: Sequence[TflmOutcome]) -> str:
    """A model under each TFLM: the arena to set aside, or why it does not run."""
    lines = [f"{'TFLM':{_NAME_WIDTH}} {'runs':5} {'arena B':>11}  why not, or what to know"]
    for outcome in outcomes:
        name, runs, arena, words = _cells(outcome)
        head = f"{name:{_NAME_WIDTH}} {runs:5} {arena:>11}  "
        lines += _hanging(head, words)
    runs_under = sum(outcome.runs for outcome in outcomes)
    lines.append(f"it runs under {runs_under} of {counted(len(outcomes), 'TFLM')}")
    return "\n".join(lines) + "\n"


def _cells(outcome: TflmOutcome) -> tuple[str, str, str, str]:
    arena = "-" if outcome.arena_bytes is None else f"{outcome.arena_bytes:,}"
    words = printable("; ".join(outcome.words))
    return outcome.revision.name, "yes" if outcome.runs else "no", arena, words


def _hanging(head: str, words: str) -> list[str]:
    """Lines of 80 columns, the first with ``head`` in front, the others indented by it."""
    lines = textwrap.wrap(words, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    return lines or [head.rstrip()]


def outcomes_markdown(outcomes: Sequence[TflmOutcome]) -> str:
    """The same as a table."""
    lines = ["| TFLM | runs | arena B | why not, or what to know |", "| --- | --- | ---: | --- |"]
    lines += ["| " + " | ".join(map(escape, _cells(outcome))) + " |" for outcome in outcomes]
    return "\n".join(lines) + "\n"


def outcomes_json(outcomes: Sequence[TflmOutcome]) -> str:
    """The same as JSON, by the schema of predictions."""
    items = [_outcome_json(outcome) for outcome in outcomes]
    return dumps({"schema_version": SCHEMA_VERSION, "tflms": items}) + "\n"


def _outcome_json(outcome: TflmOutcome) -> dict[str, Any]:
    """One of them as JSON values; the arena is null where TFLM refuses the model."""
    return {
        "name": outcome.revision.name,
        "title": outcome.revision.title,
        "runs": outcome.runs,
        "arena_required_bytes": outcome.arena_bytes,
        "arena_used_bytes": outcome.used_bytes,
        "reasons": list(outcome.words),
    }
