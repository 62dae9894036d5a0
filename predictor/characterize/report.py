"""Figures 3, 4 and 5 of the paper for a study, and a summary beside the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from predictor.characterize.statistics import (
    PAPER_BOARD_RATIO,
    PAPER_R2,
    PAPER_SLOPE_RATIO,
    Line,
    lines,
    power_levels,
    ratio,
)
from predictor.characterize.study import Result, is_layers
from predictor.report.scatter import Axis, Series, scatter

_OPS = "operations (2 for a multiply-accumulate)"


def figures(results: Sequence[Result]) -> dict[str, str]:
    """Pictures by file name: layers, models, energy and power, as far as the study has them."""
    layers = [result for result in results if is_layers(result)]
    models = [result for result in results if not is_layers(result)]
    found: dict[str, str] = {}
    for board in _boards(layers):
        own = [result for result in layers if result.board == board]
        title = f"Figure 3: latency of single layers on {board}"
        x, y = Axis(_OPS, is_log=True), Axis("latency, s", is_log=True)
        found[f"figure3_{board}.svg"] = scatter(title, x, y, _points(own, "latency_s"))
    for board in _boards(models):
        own = [result for result in models if result.board == board]
        title = f"Figure 4: latency of models of a backbone on {board}"
        series = _with_lines(own, [line for line in lines(own) if line.board == board])
        found[f"figure4_{board}.svg"] = scatter(title, Axis(_OPS), Axis("latency, s"), series)
    powered = [result for result in models if result.energy_j is not None]
    if powered:
        boards = _by_board(powered)
        found["figure5_energy.svg"] = scatter(
            "Figure 5: energy of an inference", Axis(_OPS), Axis("energy, J"),
            [Series(name, _energies(items)) for name, items in boards.items()],
        )  # fmt: skip
        found["figure5_power.svg"] = scatter(
            "Figure 5: power while running", Axis(_OPS), Axis("power, W"),
            [Series(name, _watts(items)) for name, items in boards.items()],
        )  # fmt: skip
    return found


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """The study's figures for programs, the paper's beside them."""
    found = lines(results)
    boards = _boards([result for result in results if not is_layers(result)])
    return {
        "lines": [asdict(line) | {"ops_per_s": line.ops_per_s} for line in found],
        "power": [asdict(level) for level in power_levels(results)],
        "kws_over_image": {board: ratio(found, board, "kws", "image") for board in boards},
        "paper": {
            "r2_between": PAPER_R2,
            "kws_over_image": PAPER_SLOPE_RATIO,
            "f746zg_over_f446re": PAPER_BOARD_RATIO,
        },
        "evidence": {result.board: result.evidence for result in results},
    }


def text(results: Sequence[Result]) -> str:
    """The summary for terminals."""
    found = lines(results)
    rows = [
        f"{'group':18} {'board':8} {'n':>4} {'r2':>7} {'Mops/s':>8} {'intercept':>10} "
        f"{'p90/p10':>8}"
    ]
    rows += [
        f"{line.group:18} {line.board:8} {line.count:>4} {line.r2:>7.4f} "
        f"{line.ops_per_s / 1e6:>8.4g} {1e3 * line.intercept_s:>7.3g} ms {line.rate_spread:>8.3g}"
        for line in found
    ]
    rows += [*_ratios(results, found), *_powers(results)]
    boards = dict.fromkeys((result.board, result.evidence) for result in results)
    rows += [f"{board}: {evidence}" for board, evidence in boards]
    return "\n".join(rows) + "\n"


def _ratios(results: Sequence[Result], found: Sequence[Line]) -> list[str]:
    rows = []
    models = [result for result in results if not is_layers(result)]
    if models:
        r2 = [line.r2 for line in found if line.group in {result.group for result in models}]
        if r2:
            rows.append(
                f"r2 of latency against ops {min(r2):.4f} to {max(r2):.4f} "
                f"(paper: {PAPER_R2[0]} to {PAPER_R2[1]})"
            )
    for board in _boards(models):
        value = ratio(found, board, "kws", "image")
        if value is not None:
            rows.append(
                f"throughput of kws over image on {board}: {value:.3f} "
                f"(paper: {PAPER_SLOPE_RATIO:.2f})"
            )
    for group in dict.fromkeys(result.group for result in models):
        rates = {line.board: line.ops_per_s for line in found if line.group == group}
        if {"f446re", "f746zg"} <= rates.keys():
            value = rates["f746zg"] / rates["f446re"]
            rows.append(
                f"throughput of f746zg over f446re, {group}: {value:.3f} "
                f"(paper: about {PAPER_BOARD_RATIO:.0f})"
            )
    return rows


def _powers(results: Sequence[Result]) -> list[str]:
    return [
        f"power of {level.group} on {level.board}: {1e3 * level.mean_w:.4g} mW by the board's "
        f"file, no finding ({100 * level.relative_sd:.2g} % between models)"
        for level in power_levels(results)
    ]


def _boards(results: Sequence[Result]) -> list[str]:
    return sorted({result.board for result in results})


def _by_board(results: Sequence[Result]) -> dict[str, list[Result]]:
    return {
        board: [result for result in results if result.board == board] for board in _boards(results)
    }


def _points(results: Sequence[Result], field: str) -> list[Series]:
    groups = sorted({result.group for result in results})
    return [
        Series(group, tuple((float(r.ops), getattr(r, field)) for r in results if r.group == group))
        for group in groups
    ]


def _with_lines(results: Sequence[Result], found: Sequence[Line]) -> list[Series]:
    series = []
    for points in _points(results, "latency_s"):
        series.append(points)
        for line in found:
            if line.group == points.name:
                ends = [f(x for x, _ in points.points) for f in (min, max)]
                name = f"{line.ops_per_s / 1e6:.4g} Mops/s, r2 {line.r2:.4f}"
                ys = tuple((x, line.slope_s * x + line.intercept_s) for x in ends)
                series.append(Series(name, ys, is_line=True))
    return series


def _energies(results: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    return tuple((float(r.ops), r.energy_j) for r in results if r.energy_j is not None)


def _watts(results: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    return tuple((r.ops, r.energy_j / r.latency_s) for r in results if r.energy_j is not None)
