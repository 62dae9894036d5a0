"""The report for terminals: one screen, the verdict first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from predictor.boards.board import shipped_names
from predictor.cost.instructions import Basis
from predictor.memory.sram import SramReport
from predictor.prediction import Prediction
from predictor.report.budgets import Violation
from predictor.report.cost_text import cost_rows, macs_words, quantity, runs_words
from predictor.report.layout import Block, Column, Span, Table, Words, right, words
from predictor.report.placed import Placed
from predictor.words import counted

BAR_WIDTH = 24
TOP_LAYERS = 8
_MOST_LAYERS = 1_000
"""Nobody reads more lines, and aligning them takes longer than the prediction."""

_FIGURES = {
    "MACs": "macs",
    "other ops": "other_ops",
    "weights B": "weight_bytes",
    "kernel data B": "persistent_bytes",
    "scratch B": "scratch_bytes",
}
_MAIN_FIGURES = {name: _FIGURES[name] for name in ("MACs", "other ops", "weights B")}
_KIND_WORDS = {
    "kTfLiteEvalTensorData": "eval tensors",
    "kPersistentTfLiteTensorData": "TfLiteTensors",
    "kPersistentTfLiteTensorQuantizationData": "quantisation of TfLiteTensors",
    "kPersistentBufferData": "kernel data",
    "kTfLiteTensorVariableBufferData": "variable tensors",
    "kNodeAndRegistrationArray": "nodes and registrations",
    "kOpData": "operator data",
    "runtimeObjects": "allocator and planner",
    "builtinData": "operator parameters",
    "scratchBufferHandles": "scratch buffer handles",
}


def report(
    prediction: Prediction,
    per_layer: bool = False,
    violations: Sequence[Violation] = (),
    is_verbose: bool = False,
) -> list[Block]:
    """The whole report."""
    return [
        *_verdict(prediction),
        *(words((f"over budget  {violation}", "bold red")) for violation in violations),
        words(),
        bars(prediction),
        words(),
        _costs(prediction),
        words(),
        _arena(prediction),
        words(),
        _layers(prediction, per_layer),
        words(),
        *_notes(prediction, is_verbose),
        words((f"--board all: the verdict on {len(shipped_names())} boards", "dim")),
    ]


def _verdict(prediction: Prediction) -> list[Words]:
    board = prediction.board
    name = os.path.basename(prediction.path) if prediction.path else "model"
    if not prediction.fits:
        word, style = "DOES NOT FIT", "bold red"
    elif prediction.invoke_errors:
        word, style = "FITS, BUT WILL NOT RUN", "bold yellow"
    else:
        word, style = "FITS", "bold green"
    place = f"{board.title} ({board.core.name}, {board.core.clock_hz // 10**6} MHz)"
    about = (
        f"TFLM {prediction.revision.name}, {prediction.revision.kernels} kernels, "
        f"{counted(len(prediction.layers), 'operator')}, {macs_words(prediction)} MACs"
    )
    return [words((word, style), f"  {name} on {place}"), words((about, "dim"))]


def _bar(parts: Sequence[tuple[int, str]], total: int) -> Words:
    """Parts of a whole as a bar; an arrow stands at the end of one that is more than the whole."""
    spans: list[Span] = []
    used = filled = 0
    for size, style in parts:
        used += size
        before, filled = filled, min(BAR_WIDTH, round(BAR_WIDTH * used / total))
        spans.append(("█" * (filled - before), style))
    spans.append(("░" * (BAR_WIDTH - filled), "dim"))
    return words(*spans, ("▶" if used > total else " ", "bold red"))


def bars(prediction: Placed) -> Table:
    """RAM and flash, and what takes them."""
    columns = (Column(style="bold"), Column(), Column(is_right=True), Column(style="dim"))
    table = Table(columns, gap=1)
    sram, flash = prediction.sram, prediction.flash
    region = _placed_words(sram)
    table.add_row(
        "SRAM",
        _bar(
            [
                (sram.arena_bytes, "cyan"),
                (sram.static_bytes + sram.stack_bytes, "blue"),
                (sram.reserve_bytes, "magenta"),
            ],
            sram.available_bytes,
        ),
        f"{sram.total_bytes:,} of {sram.available_bytes:,} B",
        f"arena {sram.arena_bytes:,} + statics {sram.static_bytes:,} + stack "
        f"{sram.stack_bytes:,}"
        + (f" + reserve {sram.reserve_bytes:,}" if sram.reserve_bytes else "")
        + f"; {region}",
    )
    about = "≥" if flash.unmeasured else "≈"
    reserve = prediction.options.reserve_flash_bytes
    table.add_row(
        "flash",
        _bar(
            [
                (flash.model_bytes + flash.alignment_bytes, "cyan"),
                (flash.code_bytes, "blue"),
                (reserve, "magenta"),
            ],
            prediction.board.flash_bytes,
        ),
        f"{prediction.flash_total_bytes:,} of {prediction.board.flash_bytes:,} B",
        f"model {flash.model_bytes:,} + code {about}{flash.code_bytes:,}"
        + (f" + reserve {reserve:,}" if reserve else ""),
    )
    return table


def _placed_words(sram: SramReport) -> str:
    """Where the arenas lie."""
    if sram.fits:
        return ", ".join(f"{arena.name} in {arena.region}" for arena in sram.arenas)
    asked = [need.memory for need in sram.needs if need.memory is not None]
    return f"arena does not fit {' and '.join(asked)}" if asked else "arena fits nowhere"


def _arena(prediction: Prediction) -> Table:
    arena, needs = prediction.arena, prediction.sram.needs
    taken = (arena.split if len(needs) > 1 else None) or arena
    table = Table((Column(), Column(is_right=True), Column(style="dim")))
    label = "exact" if arena.exact else "bound, see notes"
    for need in needs:
        table.add_row(
            words((f"{need.name} to set aside", "bold")),
            words((f"{need.size_bytes:,} B", "bold")),
            f"{label}; the smallest with which AllocateTensors succeeds",
        )
    table.add_row("arena_used_bytes()", f"{taken.used_bytes:,} B", "what TFLM reports")
    waste = arena.nonpersistent_bytes - arena.lower_bound_bytes
    table.add_row(
        "  planned (head)",
        f"{arena.nonpersistent_bytes:,} B",
        f"{counted(len(arena.buffers), 'buffer')}, peak at {prediction.peak_words}"
        + (f"; {waste:,} B above the lower bound" if waste > 0 else "; at the lower bound"),
    )
    table.add_row("  persistent (tail)", f"{taken.persistent_bytes:,} B", "")
    rows = sorted(taken.breakdown.items(), key=lambda item: -item[1].used_bytes)
    for kind, usage in rows:
        if usage.used_bytes:
            table.add_row(f"    {_KIND_WORDS[kind]}", f"{usage.used_bytes:,} B", f"{usage.count} x")
    return table


def _costs(prediction: Prediction) -> Table:
    table = Table((Column(style="bold"), Column(is_right=True), Column(style="dim")))
    for row in cost_rows(prediction):
        table.add_row(*row)
    return table


def _heaviest(prediction: Prediction) -> list[int]:
    """Positions of the layers that take longest, longest first."""
    latencies = [
        seconds * runs.shown
        for seconds, runs in zip(
            prediction.layer_latencies_s, prediction.inference.layer_runs, strict=True
        )
    ]
    return sorted(range(len(latencies)), key=lambda position: (-latencies[position], position))[
        :TOP_LAYERS
    ]


def _layers(prediction: Prediction, all_of_them: bool) -> Table:
    count = len(prediction.layers)
    shown = range(min(count, _MOST_LAYERS)) if all_of_them else _heaviest(prediction)
    title = "layers" if all_of_them else "heaviest layers"
    if all_of_them and count > _MOST_LAYERS:
        title = f"the first {_MOST_LAYERS:,} of {count:,} layers; --format json has all"
    figures = _FIGURES if all_of_them else _MAIN_FIGURES
    has_calls = len(prediction.graph.subgraphs) > 1
    headings = ("runs", "each") if has_calls else ("latency",)
    index_column = Column("#", "dim", is_right=True)
    columns = (index_column, Column("operator"), Column("output"), *right(*headings, *figures))
    table = Table(columns, indent=1, title=title)
    for position in shown:
        row = prediction.layers[position]
        is_proxy = prediction.works[position].basis is Basis.PROXY
        index = f"{row.subgraph_index}.{row.index}" if row.subgraph_index else str(row.index)
        table.add_row(
            index,
            row.operator,
            f"{'x'.join(map(str, row.output_shape))} {row.output_type}",
            *((runs_words(prediction.inference.layer_runs[position]),) if has_calls else ()),
            ("~" if is_proxy else "") + quantity(prediction.layer_latencies_s[position], "s"),
            *(f"{value:,}" if (value := getattr(row, name)) else "-" for name in figures.values()),
        )
    return table


def _notes(prediction: Prediction, is_verbose: bool) -> Iterator[Words]:
    for mark, messages, style in (
        ("remedy", prediction.remedies, "yellow"),
        ("note", prediction.notes, "dim"),
        ("detail", prediction.details if is_verbose else (), "dim"),
    ):
        for message in messages:
            yield words((f"{mark}  ", style), message)


def boards_table(predictions: Sequence[Prediction]) -> Table:
    """One row per board in 80 columns, with what it leaves of RAM and flash, or lacks."""
    names = (Column("board", "bold", wraps=False), Column("core", "dim", wraps=False))
    figures = right("arena B", "RAM left B", "flash left B", "latency", "energy")
    table = Table((*names, Column("fits"), *figures), gap=1)
    for item in predictions:
        table.add_row(
            item.board.name,
            item.board.core.name.removeprefix("cortex-"),
            words(("yes", "green") if item.fits else ("no", "red")),
            f"{item.arena.required_bytes:,}",
            f"{item.sram.margin_bytes:,}",
            f"{item.flash_margin_bytes:,}",
            quantity(item.latency.seconds, "s"),
            "-" if item.energy is None else quantity(item.energy.joules, "J"),
        )
    return table
