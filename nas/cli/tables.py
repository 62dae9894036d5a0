"""The table of a verification as text."""

from __future__ import annotations

from typing import Any

_ROWS = (
    ("model file, bytes", "model_bytes"),
    ("flash with code, bytes", "flash_bytes"),
    ("arena, bytes", "arena_bytes"),
    ("ops", "ops"),
)
_COLUMNS = ("searched", "predicted", "emulated")


def verification_text(table: dict[str, Any]) -> str:
    """Lines of text, with a line break at the end."""
    lines = [f"{'':24}" + "".join(f"{name:>14}" for name in (*_COLUMNS, "limit"))]
    for title, key in _ROWS:
        cells = [(table[column] or {}).get(key) for column in _COLUMNS]
        cells.append(table["limits"].get(key))
        shown = "".join(f"{'-' if cell is None else f'{cell:,.0f}':>14}" for cell in cells)
        lines.append(f"{title:24}{shown}")
    quality = table["accuracy"]
    lines.append(
        f"{table['metric']}: {quality['fake_quantized']:.4f} fake-quantised, "
        f"{quality['exported']:.4f} exported file"
    )
    lines.append(f"fits {table['board']}: {'yes' if table['fits'] else 'no'}")
    return "\n".join(lines) + "\n"


def closest_text(result: dict[str, Any]) -> str:
    """What to say where nothing fits."""
    lines = ["no network of this search space fits; the closest:"]
    for name, limit in result["limits"].items():
        if limit is not None and result["cost"][name] > limit:
            lines.append(f"  {name}: {result['cost'][name]:,.0f} of {max(limit, 0):,.0f}")
    lines.append("give a larger budget, or a recipe with narrower layers")
    return "\n".join(lines) + "\n"
