"""The result of ``predict optimize`` for terminals."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from predictor.install import install_command
from predictor.model.device.stream import StreamOptions
from predictor.optimization import plan_cpsat
from predictor.optimization.optimization import Optimization, percent
from predictor.optimization.optimizer import Optimized
from predictor.optimization.sliding import SlidingModel
from predictor.report.layout import Block, Column, Table, Words, right, words
from predictor.report.units import time_words

_SAME_TIME = 0.0005
"""Change of the latency, as a fraction, that is none."""


def report(result: Optimization) -> list[Block]:
    """The result for terminals."""
    found = result.optimized
    parts: list[Block] = [*_headline(result), words(), _table(result)]
    if found.origin.distances:
        parts += [words(), _distances(found)]
    if len(found.trade) > 1:
        parts += [words(), _trade(found)]
    return [*parts, *_notes(result)]


def sliding_report(model: SlidingModel) -> list[Block]:
    """What a model over a hop saves, for terminals."""
    hop, (before, after) = model.hop, model.instructions
    share = f"{100 * (before - after) / before:.1f} %" if before else "0 %"
    arenas = [item.arena.required_bytes for item in (model.before, model.after)]
    return [
        words(
            (f"{share} less work", "bold green"),
            f"  {hop.rows} new rows in place of a window of {hop.window_rows}: "
            f"{before:,.0f} -> {after:,.0f} instructions, arena {arenas[0]:,} -> {arenas[1]:,} "
            "bytes before the plan",
        ),
        words(
            f"its first {hop.layers} operators compute {hop.computed_rows} of {hop.layer_rows} "
            f"rows; state is kept in resource variables; from inference {hop.warm_up} on outputs "
            "are those of the window, to the bit, by a proof over all hops"
        ),
        words(),
    ]


def _headline(result: Optimization) -> list[Words]:
    before, after = result.optimized.before.required_bytes, result.optimized.after.required_bytes
    name = os.path.basename(result.before.path) if result.before.path else "model"
    revision = result.before.revision
    share = f"{100 * (before - after) / before:.1f} %" if before else "0 %"
    is_less = after < before
    gain = (f"{share} less arena", "bold green") if is_less else ("nothing to gain", "bold")
    return [
        words(gain, f"  {name}: {before:,} -> {after:,} bytes"),
        words(_time_words(result)),
        words((f"TFLM {revision.name}, {revision.kernels} kernels", "dim")),
    ]


def _time_words(result: Optimization) -> str:
    """What an inference of the new model takes, held against the old one."""
    before, after = result.before.latency.seconds, result.after.latency.seconds
    change = after / before - 1 if before else 0.0
    if abs(change) < _SAME_TIME:
        return f"an inference takes as long as before: {time_words(after)} on {_board(result)}"
    percentage = f"{100 * abs(change):.1f} %"
    words = f"{percentage} {'more' if change > 0 else 'less'} time for an inference: "
    words += f"{time_words(before)} -> {time_words(after)} on {_board(result)}"
    if change > 0 and (result.optimized.steered or result.groups):
        words += " (--max-slowdown 0% leaves out what costs time)"
    return words


def _board(result: Optimization) -> str:
    return result.before.board.name


def _table(result: Optimization) -> Table:
    found = result.optimized
    table = Table((Column(), *right("before B", "after B", "saved")), indent=1)
    planned = result.planned_bytes
    rows = (
        ("arena to set aside", found.before.required_bytes, found.after.required_bytes),
        ("arena_used_bytes()", found.before.used_bytes, found.after.used_bytes),
        ("  planned (head)", found.before.nonpersistent_bytes, found.after.nonpersistent_bytes),
        ("    of it tensors", planned[0], planned[1]),
        ("    without overlap", planned[0], planned[2]),
        ("model file", result.before.graph.flatbuffer_bytes, len(result.content)),
    )
    for label, before, after in rows:
        saved = f"{100 * (before - after) / before:.1f} %" if before else ""
        table.add_row(label, f"{before:,}", f"{after:,}", saved)
    return table


def _distances(found: Optimized) -> Table:
    columns = (
        Column("#", "dim", is_right=True),
        Column("operator"),
        *right("distance B", "output B"),
        Column("why it is safe", "dim"),
    )
    table = Table(columns, indent=1, title="operators whose output overlaps an input")
    for item in found.distances:
        if item.subgraph_index == 0 and item.index in found.origin.distances:
            table.add_row(
                str(item.index),
                item.operator,
                f"{item.distance_bytes:,}",
                f"{item.output_bytes:,}",
                item.rule,
            )
    return table


def _trade(found: Optimized) -> Table:
    columns = (*right("extra instructions", "planned B"), Column("dilated operators", "dim"))
    table = Table(columns, indent=1, title="what extra instructions buy")
    for point in found.trade:
        table.add_row(
            f"{percent(found, point.extra_instructions):.1f} %",
            f"{point.height_bytes:,}",
            ", ".join(map(str, point.steered)),
        )
    return table


def _compaction_lines(result: Optimization) -> list[str]:
    assert result.compaction is not None
    reasons = Counter(item.reason for item in result.compaction.certificates)
    words = {
        "constant": "never change",
        "equal": "equal another channel",
        "unread": "are read by nothing",
    }
    parts = [f"{reasons[reason]:,} {what}" for reason, what in words.items() if reasons[reason]]
    macs = result.before.ops.total_macs, result.after.ops.total_macs
    lines = []
    if parts:
        lines.append(
            f"{reasons.total():,} channels went, as they {', '.join(parts)}: {macs[0]:,} -> "
            f"{macs[1]:,} MACs; an independent check finds both networks equal on every input"
        )
    lines += [f"gone: {change}" for change in result.compaction.changes]
    return lines


def _notes(result: Optimization) -> list[Words]:
    found = result.optimized
    lines = []
    if found.kept_because:
        proof = f"the model was left as it is: {found.kept_because}"
    elif found.is_optimal:
        limit = "" if found.options.max_slowdown is None else " with so few extra instructions"
        proof = f"the plan is proven to be the lowest{limit}"
    elif found.solution.is_complete:
        proof = f"no plan can be more than {found.gap_bytes:,} bytes lower"
    else:
        proof = f"the solver was stopped: a plan may be up to {found.gap_bytes:,} bytes lower"
    lines.append(f"{proof} ({found.solver_s:.2f} s)")
    if not found.is_optimal and not plan_cpsat.is_available():
        lines.append(f"OR-tools finds and proves more: {install_command('optimize')}")
    if result.compaction is not None:
        lines += _compaction_lines(result)
    if found.steered:
        is_one = len(found.steered) == 1
        lines.append(
            f"{_operators(found.steered)} {'gets' if is_one else 'get'} a dilation of 2, which "
            "means nothing for a 1x1 filter but lets CMSIS-NN finish one position after the "
            f"other: about {result.extra_instructions_percent:.1f} % more instructions"
        )
    lines += [
        f"operators {item.start} to {item.stop - 1} run in {item.count} stripes of rows, of which "
        f"{item.repeated_rows:,} of {item.rows:,} are computed once more: what runs before and "
        "after is equal to the bit, by a proof over all rows"
        for item in found.stripes
    ]
    if result.prepared_filters:
        lines.append(
            f"depthwise filters of {_operators(result.prepared_filters)} are prepared: widened to "
            "16 bits in flash instead of in the arena at each call"
        )
    lines += map(_group_line, result.groups)
    boards = ", ".join(board.name for board in result.newly_fitting)
    if boards:
        lines.append(f"fits now, but did not before: {boards}")
    return [words(), *(words(("note  ", "dim"), line) for line in lines)]


def _group_line(group: tuple[int, StreamOptions]) -> str:
    index, options = group
    return (
        f"operator {index} runs {len(options.stages)} layers in rows, each computed once: its line "
        f"buffers take {options.line_bytes:,} bytes in the place of their tensors"
    )


def _operators(indices: Sequence[int]) -> str:
    """For example "operator 2" and "operators 2, 5"."""
    word = "operator" if len(indices) == 1 else "operators"
    return f"{word} {', '.join(map(str, indices))}"
