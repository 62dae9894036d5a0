"""Forms of comparisons: text, Markdown, JSON and HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from predictor.report.comparison import Comparison, FigureRow, LayerChange
from predictor.report.markdown import escape

SCHEMA_VERSION = "1.0"
MOST_LAYERS = 20
"""Layers that differ which text and Markdown list; JSON and HTML have all."""
_FIELD_WORDS = {
    "output_shape": "shape",
    "output_type": "type",
    "macs": "MACs",
    "other_ops": "other ops",
    "weight_bytes": "weights",
    "persistent_bytes": "kernel data",
    "scratch_bytes": "scratch",
}


def delta_words(row: FigureRow, position: int) -> str:
    """The difference of a subject from the baseline, in units and percent."""
    delta, before = row.deltas[position], row.values[0]
    if delta == 0:
        return "="
    return f"{delta:+,}" + (f" ({delta / abs(before):+.1%})" if before else "")


def layer_words(change: LayerChange) -> str:
    """What changed in a layer."""
    layer = change.shown
    if change.kind != "changed":
        return f"{change.kind}: {_shape(layer['output_shape'])}, {layer['macs']:,} MACs"
    return ", ".join(
        f"{_FIELD_WORDS[name]} {_value(before)} to {_value(after)}"
        for name, (before, after) in change.fields.items()
    )


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return _shape(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _layer_name(change: LayerChange) -> str:
    layer = change.shown
    return f"{layer['index']} {layer['operator']} {layer['output_name']}".strip()


def text(comparison: Comparison, width: int | None = None) -> str:
    """For terminals: one line per figure, then the layers that differ.

    Args:
        width: that of the terminal; columns that exceed it stand below, beside the baseline again.
    """
    rows = [
        [row.name, f"{row.values[0]:,}", *(
            f"{value:,}  {delta_words(row, index)}" for index, value in enumerate(row.values[1:])
        )]
        for row in comparison.figures
    ]  # fmt: skip
    verdicts = ["fits" if item.fits else "does not fit" for item in comparison.subjects]
    rows.append(["verdict", *verdicts])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"over budget  {regression}" for regression in comparison.regressions]
    for columns in _blocks(widths, width):
        for row in rows:
            padded = (row[column].rjust(widths[column]) for column in columns)
            lines.append(f"{row[0]:{widths[0]}}  {'   '.join(padded)}")
        lines.append("")
    labels = [item.label for item in comparison.subjects]
    lines += [_numbered(index, label) for index, label in enumerate(labels)]
    lines += _layer_sections(
        comparison, lambda label: f"layers of {label}", lambda change: f"  {_line(change)}"
    )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _blocks(widths: list[int], width: int | None) -> list[list[int]]:
    """Columns that stand beside each other, each time behind the baseline, which is column 1."""
    blocks = [[1]]
    for column in range(2, len(widths)):
        taken = widths[0] - 1 + sum(widths[item] + 3 for item in (*blocks[-1], column))
        if width is not None and taken > width and len(blocks[-1]) > 1:
            blocks.append([1])
        blocks[-1].append(column)
    return blocks


def _numbered(index: int, label: str) -> str:
    return f"column {index + 1}: {label}" + (" (baseline)" if index == 0 else "")


def _line(change: LayerChange) -> str:
    return f"{_layer_name(change)}: {layer_words(change)}"


def _layer_sections(
    comparison: Comparison,
    heading: Callable[[str], str],
    line: Callable[[LayerChange], str],
) -> Iterator[str]:
    others = zip(comparison.subjects[1:], comparison.layers, comparison.same_layers, strict=True)
    for item, changes, same in others:
        yield ""
        yield f"{heading(item.label)}: {len(changes)} differ, {same} do not"
        if changes:
            yield ""
        yield from map(line, changes[:MOST_LAYERS])
        if len(changes) > MOST_LAYERS:
            rest = len(changes) - MOST_LAYERS
            yield ""
            yield f"... and {rest} more; --format json or html lists all"


def markdown(comparison: Comparison) -> str:
    """For pull requests and job summaries."""
    labels = [escape(item.label) for item in comparison.subjects]
    deltas = "".join(f" {label} | difference |" for label in labels[1:])
    lines = [
        *[f"- over budget: {escape(str(item))}" for item in comparison.regressions],
        *([""] if comparison.regressions else []),
        f"| | {labels[0]} |{deltas}",
        f"| --- | ---: |{' ---: | ---: |' * len(labels[1:])}",
    ]
    for row in comparison.figures:
        cells = "".join(
            f" {value:,} | {delta_words(row, index)} |"
            for index, value in enumerate(row.values[1:])
        )
        lines.append(f"| {row.name} | {row.values[0]:,} |{cells}")
    first, *others = ["fits" if item.fits else "does not fit" for item in comparison.subjects]
    cells = "".join(f" {other} | {'=' if other == first else 'changed'} |" for other in others)
    lines.append(f"| verdict | {first} |{cells}")
    lines += _layer_sections(
        comparison,
        lambda label: f"Layers of {escape(label)}",
        lambda change: f"- {escape(_line(change))}",
    )
    return "\n".join(lines) + "\n"


def to_json(comparison: Comparison) -> str:
    """All differences as JSON. Sizes are bytes."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "baseline": comparison.subjects[0].label,
        "subjects": [
            {"label": item.label, "fits": item.fits, "figures": dict(item.figures)}
            for item in comparison.subjects
        ],
        "differences": [
            {"figure": row.name, "values": list(row.values), "deltas": list(row.deltas)}
            for row in comparison.figures
            if row.differs
        ],
        "layers": [
            {
                "label": item.label,
                "same": same,
                "changes": [
                    {"kind": change.kind, "before": change.before, "after": change.after}
                    for change in changes
                ],
            }
            for item, changes, same in zip(
                comparison.subjects[1:], comparison.layers, comparison.same_layers, strict=True
            )
        ],
        "regressions": [str(item) for item in comparison.regressions],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def html(comparison: Comparison, command: str) -> str:
    """A self-contained page. ``command`` is the command line that makes it again."""
    from importlib.metadata import version

    from predictor.report.html import environment

    return environment.render(
        "comparison.html",
        comparison=comparison,
        delta_words=delta_words,
        layer_words=layer_words,
        changes=list(
            zip(comparison.subjects[1:], comparison.layers, comparison.same_layers, strict=True)
        ),
        command=command,
        version=version("mcu-predictor"),
    )
