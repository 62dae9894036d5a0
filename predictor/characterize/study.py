"""Draws samples, predicts or emulates each on each board, and keeps the results in a CSV file.

Samples are independent: several processes work on them, a study that was interrupted or that shall
have more samples goes on where it stopped, and the same settings always give the same file.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, fields, replace
from functools import partial
from pathlib import Path

from predictor.boards.board import find_board
from predictor.characterize.sampling import LAYERS, SPACES, Subject
from predictor.errors import EmulationError, UsageError
from predictor.firmware.tflm_library import Tflm
from predictor.memory.revision import DEFAULT_REVISION
from predictor.model.builder import ModelBuilder
from predictor.options import Options
from predictor.prediction import Prediction, on_board, predict_graph
from predictor.workers import run_in_workers

MODEL, EMULATION = "model", "emulation"
_ATTEMPTS = 200
"""Draws until one fits all boards; about a third does on the smallest."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a study does. ``boards`` are names or files; ``tflm`` is what emulation links."""

    space: str
    boards: tuple[str, ...]
    seed: int = 0
    source: str = MODEL
    tflm: Tflm | None = None
    revision: str = DEFAULT_REVISION
    kernels: str | None = None

    def subjects(self, count: int) -> tuple[Subject, ...]:
        return tuple(Subject(self.space, index, self.seed) for index in range(count))

    def path(self, folder: Path) -> Path:
        """Where the results of this study are kept."""
        return folder / f"samples_{self.space}.csv"

    @property
    def mark(self) -> str:
        """The first line of the results, by which a study is known again."""
        content = asdict(self) | {"tflm": self.tflm and self.tflm.title}
        return f"# predict characterize {json.dumps(content, sort_keys=True)}"


@dataclass(frozen=True, slots=True)
class Result:
    """One sample on one board. ``energy_j`` is None where the board's power is not known."""

    name: str
    space: str
    group: str
    board: str
    macs: int
    ops: int
    instructions: int
    unaligned_loads: int
    latency_s: float
    energy_j: float | None
    arena_bytes: int
    flash_bytes: int
    evidence: str


_COLUMNS = tuple(field.name for field in fields(Result))
_WHOLE = ("macs", "ops", "instructions", "unaligned_loads", "arena_bytes", "flash_bytes")
_REAL = ("latency_s", "energy_j")


def run(
    settings: Settings,
    count: int,
    folder: Path,
    write: Callable[[Path, str], None],
    *,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> tuple[Result, ...]:
    """The results of the first ``count`` samples; those that ``folder`` holds are not made again.

    Args:
        write: writes a file atomically.
        jobs: processes; None takes one for each processor.
        progress: called with how many samples are done, and of how many.

    Raises:
        UsageError: ``folder`` holds another study, or no sample fits the boards.
    """
    path = settings.path(folder)
    results = list(read(path, settings)) if path.exists() else []
    finished = {result.name for result in results}
    subjects = settings.subjects(count)
    waiting = [subject for subject in subjects if subject.name not in finished]
    done = count - len(waiting)
    progress(done, count)
    try:
        for found in _measure_all(settings, waiting, jobs):
            results += found
            done += 1
            progress(done, count)
    finally:
        results.sort(key=lambda item: (item.name, item.board))
        write(path, _text(settings, results))
    wanted = {subject.name for subject in subjects}
    return tuple(result for result in results if result.name in wanted)


def others(settings: Settings, folder: Path) -> tuple[Result, ...]:
    """Results of the other spaces that a folder holds, of studies with the same settings."""
    found: list[Result] = []
    for space in SPACES:
        other = replace(settings, space=space)
        if space != settings.space and other.path(folder).exists():
            with suppress(UsageError):
                found += read(other.path(folder), other)
    return tuple(found)


def _measure_all(
    settings: Settings, subjects: Sequence[Subject], jobs: int | None
) -> Iterator[list[Result]]:
    count = min(jobs or os.cpu_count() or 1, len(subjects))
    if count <= 1:
        yield from (measure(subject, settings) for subject in subjects)
        return
    yield from run_in_workers(partial(measure, settings=settings), subjects, count)


def measure(subject: Subject, settings: Settings) -> list[Result]:
    """A sample's results: one for each board.

    Raises:
        UsageError: none of many draws fits all boards.
        EmulationError: the firmware failed, or computed something else than this machine.
    """
    group, builder, predictions = _fitting(subject, settings)
    return [
        _result(
            subject,
            group,
            prediction,
            _emulated_instructions(builder, prediction, settings)
            if settings.source == EMULATION
            else None,
        )
        for prediction in predictions
    ]


def _fitting(
    subject: Subject, settings: Settings
) -> tuple[str, ModelBuilder, tuple[Prediction, ...]]:
    """The first draw that fits all boards, as the measured models of the paper did."""
    boards = [find_board(board) for board in settings.boards]
    options = Options(kernels=settings.kernels, tflm=settings.revision)
    for attempt in range(_ATTEMPTS):
        group, builder = subject.draw(attempt)
        first = predict_graph(builder.graph(), boards[0], options)
        predictions = (first, *(on_board(first, board) for board in boards[1:]))
        if all(prediction.fits for prediction in predictions):
            return group, builder, predictions
    raise UsageError(
        f"none of {_ATTEMPTS} samples of {subject.space} fits all of "
        f"{', '.join(settings.boards)}; name larger boards with --board"
    )


def _emulated_instructions(
    builder: ModelBuilder, prediction: Prediction, settings: Settings
) -> float:
    from predictor.firmware.build import build
    from predictor.firmware.target import firmware_target
    from predictor.proof.model_run import run_model

    image = build(firmware_target(prediction.board, settings.tflm, settings.kernels))
    run = run_model(builder.build(), prediction.arena, image, prediction.board)
    if not run.passed or run.invoke_instructions is None:
        reason = run.failure or run.host_reason
        raise EmulationError(f"{builder.model_name} on {prediction.board.name}: {reason}")
    return run.invoke_instructions


def _result(subject: Subject, group: str, prediction: Prediction, counted: float | None) -> Result:
    """``counted`` instructions of an emulated run replace those of the model."""
    latency, energy = prediction.latency, prediction.energy
    scale = 1.0
    instructions = prediction.work.instructions
    if counted is not None:
        costs = prediction.timing.costs
        cycles = latency.cycles + costs.cycles_per_instruction * (counted - instructions)
        scale, instructions = cycles / latency.cycles, counted
    return Result(
        name=subject.name,
        space=subject.space,
        group=group,
        board=prediction.board.name,
        macs=prediction.ops.total_macs,
        ops=prediction.ops.total_ops,
        instructions=round(instructions),
        unaligned_loads=round(prediction.work.unaligned_loads),
        latency_s=_six_digits(scale * latency.seconds),
        energy_j=None if energy is None else _six_digits(scale * energy.joules),
        arena_bytes=prediction.arena.required_bytes,
        flash_bytes=prediction.flash_total_bytes,
        evidence=latency.evidence + ("" if counted is None else "; instructions emulated"),
    )


def _six_digits(value: float) -> float:
    """As the file holds it, so that a study that goes on has the same figures."""
    return float(f"{value:.6g}")


def _text(settings: Settings, results: Sequence[Result]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for result in results:
        writer.writerow("" if value is None else value for value in astuple(result))
    return f"{settings.mark}\n{buffer.getvalue()}"


def read(path: Path, settings: Settings) -> tuple[Result, ...]:
    """The results of a study so far.

    Raises:
        UsageError: the file is not one, or that of a study with other settings.
    """
    try:
        mark, *lines = path.read_text(encoding="utf-8").splitlines()
        if mark != settings.mark:
            raise UsageError(
                f"{path} holds another study ({mark.removeprefix('# predict characterize ')[:200]}"
                "); name another folder with --out"
            )
        return tuple(_parsed(row) for row in csv.DictReader(lines))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsageError(f"{path} holds no study: {error}; remove it") from error


def _parsed(row: dict[str, str]) -> Result:
    values: dict[str, object] = {name: row[name] for name in _COLUMNS}
    values |= {name: int(row[name]) for name in _WHOLE}
    values |= {name: float(row[name]) if row[name] else None for name in _REAL}
    return Result(**values)  # type: ignore[arg-type]


def is_layers(result: Result) -> bool:
    """Whether it is a single layer, not a model of a backbone."""
    return result.space == LAYERS
