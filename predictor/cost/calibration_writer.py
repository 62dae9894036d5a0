"""Writes calibrations into board files: the inverse of ``calibration.calibrations``.

The rest of a board's file stays as it is, comments included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from predictor import toml
from predictor.boards.calibration import Calibration, Measured
from predictor.boards.power import Power
from predictor.errors import BoardError
from predictor.kernel_sets import kernel_set_name

_HEADER = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+", re.MULTILINE)
_DIGITS = 6


def updated(text: str, calibration: Calibration, powers: Mapping[str, Power]) -> str:
    """A board's file with a calibration in it, in place of the one for the same conditions.

    Args:
        powers: replace those of the same class; others stay.

    Raises:
        BoardError: the file is written in a way that this does not understand.
    """
    before = toml.loads(text)
    kept, old = _split(text, powers)
    tables = [table for table in old if _conditions(table) != _conditions(_table(calibration))]
    blocks = [kept.rstrip() + "\n"]
    blocks += [_power_text(name, power) for name, power in powers.items()]
    blocks += [_calibration_text(table) for table in (*tables, _table(calibration))]
    result = "\n".join(blocks)
    if _rest(toml.loads(result), powers) != _rest(before, powers):
        raise BoardError(
            "the board's file could not be changed without touching its other tables; write "
            "[[calibration]] and [power.*] as tables of their own, not inline"
        )
    return result


def _split(text: str, powers: Mapping[str, Power]) -> tuple[str, list[dict[str, Any]]]:
    """The file without what is replaced, and its calibrations."""
    starts = [match.start() for match in _HEADER.finditer(text)]
    blocks = [text[: starts[0]]] if starts else [text]
    for begin, end in zip(starts, [*starts[1:], len(text)], strict=True):
        match = _HEADER.match(text, begin)
        name = match[1] if match else ""
        if name.split(".")[0] == "calibration" or name in {f"power.{key}" for key in powers}:
            continue
        blocks.append(text[begin:end])
    calibrations = toml.loads(text).get("calibration", [])
    return "".join(blocks), calibrations if isinstance(calibrations, list) else []


def _rest(tables: Mapping[str, Any], powers: Mapping[str, Power]) -> dict[str, Any]:
    """What must not change."""
    rest = {key: value for key, value in tables.items() if key != "calibration"}
    power = {key: value for key, value in rest.pop("power", {}).items() if key not in powers}
    return {**rest, "power": power}


def _conditions(table: Mapping[str, Any]) -> tuple[Any, ...]:
    kernels = kernel_set_name(str(table.get("kernels")))
    return (kernels, *(table.get(key) for key in ("runtime", "revision", "clock_hz")))


def _table(calibration: Calibration) -> dict[str, Any]:
    costs, spread = calibration.costs, calibration.spread
    return {
        "runtime": calibration.runtime,
        "revision": calibration.revision,
        "kernels": calibration.kernels,
        "clock_hz": calibration.clock_hz,
        "cycles_per_instruction": costs.cycles_per_instruction,
        "unaligned_load_cycles": costs.unaligned_load_cycles,
        "flash_cycles_per_byte": costs.flash_cycles_per_byte,
        "relative_sd": spread.relative_sd,
        "degrees_of_freedom": spread.degrees_of_freedom,
        "measurements": [_measured(item) for item in calibration.measurements],
    }


def _measured(item: Measured) -> dict[str, Any]:
    features = item.features
    return {
        "model": item.model,
        "sha256": item.sha256,
        "instructions": features.instructions,
        "unaligned_loads": features.unaligned_loads or None,
        "streamed_bytes": features.streamed_bytes or None,
        "latency_s": item.latency_s,
        "energy_j": item.energy_j,
        "repeats": item.repeats if item.repeats > 1 else None,
        "source": item.source,
        "fitted": None if item.is_fitted else False,
        "left_out_error": item.left_out_error,
        "reason": item.reason or None,
    }


def _calibration_text(table: Mapping[str, Any]) -> str:
    lines = ["[[calibration]]", *_lines(table)]
    for item in table.get("measurements", []):
        lines += ["", "[[calibration.measurements]]", *_lines(item)]
    return "\n".join(lines) + "\n"


def _power_text(name: str, power: Power) -> str:
    table = {
        "active_w": power.active_w,
        "active_sd_w": power.active_w * power.spread.relative_sd,
        "measurements": power.measurements,
        "clock_hz": power.clock_hz,
        "supply_v": power.supply_v,
    }
    return "\n".join([f"[power.{name}]", *_lines(table)]) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} = {_value(value)}"
        for key, value in table.items()
        if value is not None and not isinstance(value, list)
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's strings are TOML's basic strings but for this one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value)}"
    return f"{value:.{_DIGITS}g}"
