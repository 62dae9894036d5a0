"""The report for terminals: one screen, the verdict first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from io import StringIO

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from predictor.boards.board import shipped_names
from predictor.cost.instructions import Basis
from predictor.escapes import printable_lines
from predictor.memory.sram import SramReport
from predictor.prediction import Prediction
from predictor.report.budgets import Violation
from predictor.report.cost_text import cost_rows, macs_words, quantity, runs_words
from predictor.words import counted

BAR_WIDTH = 24
TOP_LAYERS = 8
_MOST_LAYERS = 1_000
"""Nobody reads more lines, and aligning them takes longer than the prediction."""
PLAIN_WIDTH = 100

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


def render(renderable: RenderableType, width: int | None = None, color: bool = False) -> str:
    """A renderable as text, with colour codes only where asked for."""
    stream = StringIO()
    console = Console(
        file=stream,
        width=width or PLAIN_WIDTH,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,  # names and messages stand as they are
        emoji=False,
        legacy_windows=False,
    )
    console.print(_Printable(renderable))
    lines = stream.getvalue().split("\n")[:-1]
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Printable:
    """A renderable without what terminals obey; colours are added behind it."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._inner, options):
            yield Segment(printable_lines(segment.text), segment.style, segment.control)


def report(
    prediction: Prediction,
    per_layer: bool = False,
    violations: Sequence[Violation] = (),
    is_verbose: bool = False,
) -> RenderableType:
    """The whole report."""
    parts: list[RenderableType] = [
        _verdict(prediction),
        _violations(violations),
        Text(),
        _bars(prediction),
        Text(),
        _costs(prediction),
        Text(),
        _arena(prediction),
        Text(),
        _layers(prediction, per_layer),
        _notes(prediction, is_verbose),
        Text(f"--board all: the verdict on {len(shipped_names())} boards", style="dim"),
    ]
    return Group(*[part for part in parts if part is not None])


def _verdict(prediction: Prediction) -> Text:
    board = prediction.board
    name = os.path.basename(prediction.path) if prediction.path else "model"
    if not prediction.fits:
        word, style = "DOES NOT FIT", "bold red"
    elif prediction.invoke_errors:
        word, style = "FITS, BUT WILL NOT RUN", "bold yellow"
    else:
        word, style = "FITS", "bold green"
    return Text.assemble(
        (word, style),
        f"  {name} on {board.title} ({board.core.name}, {board.core.clock_hz // 10**6} MHz)\n",
        (
            f"TFLM {prediction.revision.name}, {prediction.revision.kernels} kernels, "
            f"{counted(len(prediction.layers), 'operator')}, {macs_words(prediction)} MACs",
            "dim",
        ),
    )


def _violations(violations: Sequence[Violation]) -> RenderableType:
    lines = [Text(f"over budget  {violation}", style="bold red") for violation in violations]
    return Group(*lines)


def _bar(parts: Sequence[tuple[int, str]], total: int) -> Text:
    """Parts of a whole as a bar; an arrow stands at the end of one that is more than the whole."""
    text = Text()
    used = 0
    for size, style in parts:
        start, used = used, used + size
        cells = [min(BAR_WIDTH, round(BAR_WIDTH * bytes_ / total)) for bytes_ in (start, used)]
        text.append("█" * (cells[1] - cells[0]), style=style)
    text.append("░" * (BAR_WIDTH - text.cell_len), style="dim")
    text.append("▶" if used > total else " ", style="bold red")
    return text


def _bars(prediction: Prediction) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
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
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    label = "exact" if arena.exact else "bound, see notes"
    for need in needs:
        table.add_row(
            Text(f"{need.name} to set aside", style="bold"),
            Text(f"{need.size_bytes:,} B", style="bold"),
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
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
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
    table = Table(box=None, padding=(0, 1), title=title, title_justify="left", title_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("operator")
    table.add_column("output")
    figures = _FIGURES if all_of_them else _MAIN_FIGURES
    has_calls = len(prediction.graph.subgraphs) > 1
    headings = ("runs", "each") if has_calls else ("latency",)
    for heading in (*headings, *figures):
        table.add_column(heading, justify="right")
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


def _notes(prediction: Prediction, is_verbose: bool) -> RenderableType:
    lines: list[RenderableType] = []
    for mark, messages, style in (
        ("remedy", prediction.remedies, "yellow"),
        ("note", prediction.notes, "dim"),
        ("detail", prediction.details if is_verbose else (), "dim"),
    ):
        for message in messages:
            lines.append(Text.assemble((f"{mark}  ", style), message))
    return Padding(Group(*lines), (1, 0, 0, 0)) if lines else Text()


def boards_table(predictions: Sequence[Prediction]) -> Table:
    """One row per board in 80 columns, with what it leaves of RAM and flash, or lacks."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("board", style="bold", no_wrap=True)
    table.add_column("core", style="dim", no_wrap=True)
    table.add_column("fits")
    for heading in ("arena B", "RAM left B", "flash left B", "latency", "energy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in predictions:
        table.add_row(
            item.board.name,
            item.board.core.name.removeprefix("cortex-"),
            Text("yes", style="green") if item.fits else Text("no", style="red"),
            f"{item.arena.required_bytes:,}",
            f"{item.sram.margin_bytes:,}",
            f"{item.flash_margin_bytes:,}",
            quantity(item.latency.seconds, "s"),
            "-" if item.energy is None else quantity(item.energy.joules, "J"),
        )
    return table
