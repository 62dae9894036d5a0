"""The report page: one self-contained HTML file for models on boards."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from predictor.cost.instructions import Basis
from predictor.cost.latency import shares
from predictor.errors import PredictorError
from predictor.escapes import printable
from predictor.memory.sram import occupancy
from predictor.prediction import Prediction
from predictor.records import dataclass
from predictor.report.html import environment
from predictor.report.html.layers import LayerRow, columns, layer_rows, table_rows
from predictor.report.html.plan import MOST_SHOWN, Plan, plan_of
from predictor.report.html.plan_picture import inline_svg
from predictor.report.html.time_chart import kinds, time_chart

_SEGMENT_KINDS = {
    "arena": "tensor",
    "persistent arena": "other",
    "statics": "scratch",
    "stack": "io",
    "model": "tensor",
    "runtime": "scratch",
    "operators": "io",
    "reserve": "other",
}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A model on its boards, or the error that keeps it from being predicted.

    ``greedy`` and ``optimized`` are the same model on the first board, planned by TFLM and by a
    solver, where the file or the caller has another plan than the predictions.
    """

    name: str
    predictions: tuple[Prediction, ...] = ()
    error: PredictorError | None = None
    greedy: Prediction | None = None
    optimized: Prediction | None = None

    @property
    def fits_somewhere(self) -> bool:
        return any(prediction.fits for prediction in self.predictions)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar. ``percent`` is of the bar's width, which is at least the capacity."""

    name: str
    kind: str
    size_bytes: int
    percent: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A memory and what it holds. ``capacity_percent`` is below 100 where it is overfull."""

    title: str
    capacity_bytes: int
    segments: tuple[Segment, ...]
    capacity_percent: float
    marks: tuple[float, ...] = ()

    @property
    def used_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def words(self) -> str:
        parts = ", ".join(f"{part.name} {part.size_bytes:,}" for part in self.segments)
        return f"{self.title}: {self.used_bytes:,} of {self.capacity_bytes:,} bytes: {parts}"


def render(reports: Sequence[ModelReport], command: str) -> str:
    """The page. ``command`` is the command line that makes it again."""
    from importlib.metadata import version

    names = [os.path.basename(report.name) or "model" for report in reports]
    if len(set(names)) < len(names):
        names = [report.name for report in reports]
    boards = next((report.predictions for report in reports if report.predictions), ())
    return environment.render(
        "report.html",
        reports=[
            _section(report, printable(name), index)
            for index, (report, name) in enumerate(zip(reports, names, strict=True))
        ],
        boards=[prediction.board for prediction in boards],
        command=printable(command),
        version=version("mcu-predictor"),
    )


def _section(report: ModelReport, name: str, index: int) -> dict[str, Any]:
    section: dict[str, Any] = {
        "id": f"model-{index}",
        "name": name,
        "error": printable(str(report.error)) if report.error else "",
        "predictions": report.predictions,
    }
    if report.predictions:
        first = report.predictions[0]
        rows = layer_rows(first)
        headings = columns(first, rows)
        section |= {
            "first": first,
            "boards": [(prediction, bars(prediction)) for prediction in report.predictions],
            "plans": _plans(report, index),
            "columns": headings,
            "table": environment.markup(table_rows(rows, headings)),
            "most_rows": MOST_SHOWN,
            "chart": _chart(rows, first, index),
            "chart_kinds": kinds(rows),
            "notes": _union(report, "notes"),
            "details": _union(report, "details"),
            "remedies": _union(report, "remedies"),
            "certainty": certainty(first),
        }
    return section


def _plans(report: ModelReport, index: int) -> list[tuple[Plan, Any, int]]:
    """(plan, picture, difference in bytes from the first plan) of each plan, on one scale."""
    found = [report.greedy, report.predictions[0], report.optimized]
    plans = [plan_of(prediction) for prediction in found if prediction is not None]
    top = max(plan.top_bytes for plan in plans)
    return [
        (
            plan,
            environment.markup(inline_svg(plan, f"plan-{index}-{number}", top)),
            plan.height_bytes - plans[0].height_bytes,
        )
        for number, plan in enumerate(plans)
    ]


def _chart(rows: list[LayerRow], prediction: Prediction, index: int) -> Any:
    if not rows:
        return ""
    return environment.markup(time_chart(rows, prediction.board.title, f"times-{index}"))


def _union(report: ModelReport, attribute: str) -> list[tuple[str, str]]:
    """(boards, message) of each different message, boards empty where it holds for all."""
    boards: dict[str, list[str]] = {}
    for prediction in report.predictions:
        for message in getattr(prediction, attribute):
            boards.setdefault(printable(message), []).append(prediction.board.title)
    count = len(report.predictions)
    return [
        ("" if len(names) == count else ", ".join(names), message)
        for message, names in boards.items()
    ]


def bars(prediction: Prediction) -> list[Bar]:
    """Each contiguous RAM of a board with what stands in it, then the flash."""
    found = []
    for use in occupancy(prediction.board, prediction.sram):
        regions = use.span.regions
        title = " + ".join(f"{region.name} {region.size_bytes // 1024} KB" for region in regions)
        ends = [
            sum(region.size_bytes for region in regions[:count]) for count in range(1, len(regions))
        ]
        found.append(_bar(f"SRAM ({title})", use.span.size_bytes, use.items, ends))
    flash = prediction.flash
    parts = (
        ("model", flash.model_bytes + flash.alignment_bytes),
        ("runtime", flash.runtime_bytes),
        ("operators", flash.operator_bytes),
        ("reserve", prediction.options.reserve_flash_bytes),
    )
    capacity = prediction.board.flash_bytes
    return [*found, _bar(f"flash ({capacity // 1024} KB)", capacity, parts)]


def _bar(
    title: str, capacity: int, items: Sequence[tuple[str, int]], ends: Sequence[int] = ()
) -> Bar:
    whole = max(capacity, sum(size for _, size in items))
    return Bar(
        title=title,
        capacity_bytes=capacity,
        segments=tuple(
            Segment(name, _SEGMENT_KINDS[name], size, 100 * size / whole)
            for name, size in items
            if size
        ),
        capacity_percent=100 * capacity / whole,
        marks=tuple(100 * end / whole for end in ends),
    )


def certainty(prediction: Prediction) -> list[tuple[str, str, str]]:
    """(figure, "exact" | "bound" | "estimate" | "assumed", why) of each figure of the page."""
    revision = prediction.revision
    flash = prediction.flash
    energies = []
    if prediction.energy is not None:
        energies.append(("energy", "estimate", printable(prediction.energy.evidence)))
    reasons = prediction.arena.inexact_reasons
    arena_why = f"replay of TFLM {revision.name}'s allocator and planner, byte by byte"
    return [
        (
            "arena, memory plan",
            "bound" if reasons else "exact",
            printable("; ".join(reasons)) if reasons else arena_why,
        ),
        ("MACs, other ops, weights", "exact", "counted from the shapes and constants of the file"),
        ("flash of the model", "exact", "size of the file, aligned to 16 bytes"),
        (
            "flash of the code, static RAM",
            "bound" if flash.unmeasured else "estimate",
            f"measured section sizes; within {flash.code_error:.1%} of linked images"
            + (f"; not measured: {', '.join(flash.unmeasured)}" if flash.unmeasured else ""),
        ),
        (
            "instructions",
            "estimate",
            f"for a {prediction.board.core.name}: {_basis_words(prediction)}",
        ),
        ("time", "estimate", printable(prediction.latency.evidence)),
        *energies,
        ("stack", "assumed", f"{prediction.sram.stack_bytes:,} bytes for interpreter and kernels"),
    ]


_BASES = {
    Basis.EMULATED: "counted in emulation",
    Basis.MODEL: "from the loops of the kernels",
    Basis.OTHER_CORE: "from the loops of the kernels, at the cost that another core has for them",
    Basis.OTHER_REVISION: "from the loops of the kernels, at the cost that a newer TFLM's have",
    Basis.PROXY: "by a proxy from operation counts",
}


def _basis_words(prediction: Prediction) -> str:
    found = shares(prediction.works)
    known = ((found[basis], words) for basis, words in _BASES.items())
    return ", ".join(f"{fraction:.0%} {words}" for fraction, words in known if fraction)
