"""What is known of boards: text for terminals of 80 columns, and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from predictor.boards.board import Board
from predictor.boards.calibration import Calibration
from predictor.cost.coverage import uncovered
from predictor.cost.power import board_power, powers
from predictor.escapes import printable
from predictor.report.calibration import cost_lines, power_lines, row_lines

_WIDTH = 80


def boards_text(boards: Sequence[Board]) -> str:
    """One line a board: name, core, clock, RAM and flash, title."""
    if not boards:
        return "no board is like that; predict boards lists all of them\n"
    lines = [f"{'board':14} {'core':7} {'MHz':>4} {'RAM KB':>7} {'flash KB':>8}  title"]
    for board in boards:
        line = (
            f"{board.name:14} {board.core.name.removeprefix('cortex-'):7} "
            f"{board.core.clock_hz // 10**6:4} {board.sram_bytes // 1024:7,} "
            f"{board.flash_bytes // 1024:8,}  {board.title}"
        )
        lines.append(line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "...")
    return "\n".join(lines) + "\n"


def _memories(board: Board, indent: str) -> list[str]:
    listed = ", ".join(f"{region.name} {region.size_bytes // 1024} KB" for region in board.regions)
    return textwrap.wrap(listed, 80, initial_indent=indent, subsequent_indent=indent)


def board_text(board: Board) -> str:
    """All about one board, its calibrations in the order in which they are taken."""
    core = board.core
    lines = [
        printable(f"{board.name}  {board.title}" + (f" ({board.soc})" if board.soc else "")),
        f"  {core.name}, {core.clock_hz / 1e6:g} MHz, {core.flash_wait_states} wait states, "
        f"caches {core.icache_bytes:,} + {core.dcache_bytes:,} B",
        *_memories(board, "  "),
        *_power(board),
        *_names(board),
    ]
    found = board.calibrations
    for item in reversed(found):
        lines += ["", *_calibration(item)]
    if not found:
        lines += ["", "no calibration: latency by those of other boards, with wide intervals"]
    return "\n".join(lines) + "\n"


def _names(board: Board) -> Iterable[str]:
    if board.aliases:
        listed = "other names: " + ", ".join(board.aliases)
        yield from textwrap.wrap(listed, 80, initial_indent="  ", subsequent_indent="    ")
    for mark, source in board.sources:
        listed = printable(f"{mark}: {source}")
        yield from textwrap.wrap(listed, 80, initial_indent="  ", subsequent_indent="    ")


def _power(board: Board) -> Iterable[str]:
    own = powers(board)
    if own:
        yield from power_lines(own)
        return
    other = board_power(board)
    known = "not known: no energy is predicted" if other is None else other.evidence
    yield f"  power: {known}"


def _calibration(found: Calibration) -> Iterable[str]:
    yield printable(f"calibration {found.runtime!r}")
    yield (
        f"  counts of {found.revision} {found.kernels}, {found.clock_hz / 1e6:g} MHz, fitted to "
        + (f"{len(found.fitted)} of {len(found.measurements)} measurements")
    )
    yield from cost_lines(found)
    for line in row_lines(found):
        yield f"  {printable(line)}"


def board_json(board: Board) -> dict[str, Any]:
    """A board as JSON values; sizes in bytes, clocks in hertz, powers in watts."""
    return {
        "name": board.name,
        "title": board.title,
        "aliases": list(board.aliases),
        "core": board.core.name,
        "clock_hz": board.core.clock_hz,
        "sram_bytes": board.sram_bytes,
        "flash_bytes": board.flash_bytes,
        "regions": [
            {
                "name": region.name,
                "kind": region.kind,
                "base": region.base,
                "size_bytes": region.size_bytes,
            }
            for region in board.regions
        ],
        "power": {
            name: {"active_w": power.active_w, "clock_hz": power.clock_hz}
            for name, power in powers(board).items()
        },
        "calibrations": [_calibration_json(item) for item in reversed(board.calibrations)],
    }


def _calibration_json(found: Calibration) -> dict[str, Any]:
    outside = {id(item) for item, _ in uncovered(found)}
    return {
        "name": found.runtime,
        "revision": found.revision,
        "kernels": found.kernels,
        "clock_hz": found.clock_hz,
        "cycles_per_instruction": found.costs.cycles_per_instruction,
        "measurements": [
            {
                "model": item.model,
                "latency_s": item.latency_s,
                "predicted_s": found.predicted_s(item),
                "fitted": item.is_fitted,
                "within_95": id(item) not in outside,
                "reason": item.reason,
            }
            for item in found.measurements
        ],
    }
