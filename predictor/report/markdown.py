"""The report as Markdown, for pull requests and job summaries."""

from __future__ import annotations

import os
from collections.abc import Sequence

from predictor.escapes import printable
from predictor.prediction import Prediction
from predictor.report.budgets import Violation
from predictor.report.cost_text import cost_rows, macs_words, quantity
from predictor.words import counted


def report(
    prediction: Prediction,
    per_layer: bool = False,
    violations: Sequence[Violation] = (),
    is_verbose: bool = False,
) -> str:
    """The whole report, ending in a newline."""
    arena, flash, sram = prediction.arena, prediction.flash, prediction.sram
    name = os.path.basename(prediction.path) if prediction.path else "model"
    verdict = "fits" if prediction.fits else "**does not fit**"
    lines = [
        f"## {escape(name)} {verdict} {escape(prediction.board.title)}",
        "",
        *[f"- over budget: {violation}" for violation in violations],
        *([""] if violations else []),
        "| memory | needed | available | margin |",
        "| --- | ---: | ---: | ---: |",
        f"| SRAM | {sram.total_bytes:,} | {sram.available_bytes:,} | {sram.margin_bytes:,} |",
        f"| flash | {prediction.flash_total_bytes:,} | {prediction.board.flash_bytes:,} | "
        f"{prediction.flash_margin_bytes:,} |",
        "",
        f"| arena ({'exact' if arena.exact else 'bound'}) | bytes |",
        "| --- | ---: |",
        f"| required | {arena.required_bytes:,} |",
        f"| used | {arena.used_bytes:,} |",
        f"| planned (head) | {arena.nonpersistent_bytes:,} |",
        f"| persistent (tail) | {arena.persistent_bytes:,} |",
        f"| lower bound of the plan | {arena.lower_bound_bytes:,} |",
        "",
        "| time and energy | | |",
        "| --- | ---: | --- |",
        *[
            f"| {name} | {figure} | {escape(remark)} |"
            for name, figure, remark in cost_rows(prediction)
        ],
        "",
        f"Flash: model {flash.model_bytes:,} + code {flash.code_bytes:,} bytes. "
        f"{macs_words(prediction)} MACs in {counted(len(prediction.layers), 'operator')}. "
        f"TFLM {prediction.revision.name}, {prediction.revision.kernels} kernels.",
    ]
    if per_layer:
        lines += ["", *_layers(prediction)]
    for title, messages in (
        ("Remedies", prediction.remedies),
        ("Notes", prediction.notes),
        ("Details", prediction.details if is_verbose else ()),
    ):
        if messages:
            lines += ["", f"### {title}", "", *[f"- {escape(message)}" for message in messages]]
    return "\n".join(lines) + "\n"


def _layers(prediction: Prediction) -> list[str]:
    layers = prediction.layers
    return [
        "| # | operator | output | latency | MACs | other ops | weights | kernel data | scratch |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *[
            f"| {row.index} | {escape(row.operator)} | {'x'.join(map(str, row.output_shape))} "
            f"{row.output_type} | {quantity(latency_s, 's')} | {row.macs:,} | {row.other_ops:,} | "
            f"{row.weight_bytes:,} | {row.persistent_bytes:,} | {row.scratch_bytes:,} |"
            for row, latency_s in zip(layers, prediction.layer_latencies_s, strict=True)
        ],
    ]


def boards_table(predictions: Sequence[Prediction]) -> str:
    """One row per board."""
    lines = [
        "| board | verdict | arena | SRAM margin | flash margin | latency |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *[
            f"| {item.board.name} | {'fits' if item.fits else '**does not fit**'} | "
            f"{item.arena.required_bytes:,} | {item.sram.margin_bytes:,} | "
            f"{item.flash_margin_bytes:,} | {quantity(item.latency.seconds, 's')} |"
            for item in predictions
        ],
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line of a table."""
    text = printable(" ".join(text.split()))
    for character in "\\`*|<>":
        text = text.replace(character, f"\\{character}")
    return text
