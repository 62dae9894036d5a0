"""The table of a verification as text."""

from __future__ import annotations

from typing import Any, NamedTuple


class _Row(NamedTuple):
    title: str
    quantity: str
    form: str
    factor: float = 1.0


_ROWS = (
    _Row("model file, bytes", "model_bytes", ",.0f"),
    _Row("flash with code, bytes", "flash_bytes", ",.0f"),
    _Row("arena, bytes", "arena_bytes", ",.0f"),
    _Row("ops", "ops", ",.0f"),
    _Row("latency, ms", "latency_s", ",.2f", 1e3),
)
_COLUMNS = ("searched", "predicted", "emulated")


def shown(quantity: str, value: float | None) -> str:
    """A value with the unit of its row, a dash where there is none."""
    row = next(row for row in _ROWS if row.quantity == quantity)
    return "-" if value is None else format(value * row.factor, row.form)


def title(quantity: str) -> str:
    """What a row is called."""
    return next(row.title for row in _ROWS if row.quantity == quantity)


def verification_rows(table: dict[str, Any]) -> list[tuple[str, ...]]:
    """Title, searched, predicted, emulated and limit of each quantity, as text."""
    rows = []
    for row in _ROWS:
        cells = [(table[column] or {}).get(row.quantity) for column in _COLUMNS]
        cells.append(table["limits"].get(row.quantity))
        rows.append((row.title, *(shown(row.quantity, cell) for cell in cells)))
    return rows


def verification_text(table: dict[str, Any]) -> str:
    """Lines of text, with a line break at the end."""
    lines = [f"{'':24}" + "".join(f"{name:>14}" for name in (*_COLUMNS, "limit"))]
    for name, *cells in verification_rows(table):
        lines.append(f"{name:24}" + "".join(f"{cell:>14}" for cell in cells))
    lines += [quality_line(table), emulation_line(table)]
    lines.append(f"fits {table['board']}: {'yes' if table['fits'] else 'no'}")
    return "\n".join(lines) + "\n"


def quality_line(table: dict[str, Any]) -> str:
    quality = table["accuracy"]
    return (
        f"{table['metric']}: {quality['fake_quantized']:.4f} fake-quantised, "
        f"{quality['exported']:.4f} exported file"
    )


def emulation_line(table: dict[str, Any]) -> str:
    """What the emulated firmware says, or why there is none."""
    run = table["emulated"]
    if run is None:
        return f"not emulated: {table['not_emulated']}"
    if run["failure"] is not None:
        return f"emulated, but it failed: {run['failure']}"
    return (
        f"emulated with TFLM {run['tflm']}, {run['kernels']} kernels: arena "
        f"{run['arena_bytes']:,} bytes (predicted for it {run['predicted_arena_bytes']:,}), "
        f"{run['instructions']:,} instructions, outputs {run['outputs']}"
    )


def closest_text(result: dict[str, Any]) -> str:
    """What to say where nothing fits."""
    lines = ["no network of this search space fits; the closest:"]
    for name, limit in result["limits"].items():
        if limit is not None and result["cost"][name] > limit:
            used = shown(name, result["cost"][name])
            lines.append(f"  {title(name)}: {used} of {shown(name, max(limit, 0))}")
    lines.append("give a larger budget, or a recipe with narrower layers")
    return "\n".join(lines) + "\n"
