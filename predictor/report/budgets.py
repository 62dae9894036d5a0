"""Budgets that a prediction is held against, and the sizes people write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from predictor.errors import UsageError
from predictor.report.prediction import Prediction

_NUMBER = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*$")
BYTE_UNITS: Mapping[str, int] = MappingProxyType(
    {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20}
)
"""A kilobyte is 1,024 bytes, as in data sheets of microcontrollers."""
COUNT_UNITS: Mapping[str, int] = MappingProxyType({"": 1, "k": 10**3, "m": 10**6, "g": 10**9})


def parse_quantity(text: str | int, units: Mapping[str, int], what: str) -> int:
    """The number that a text such as "100KB" or "20M" stands for.

    Raises:
        UsageError: not a number with one of the units.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise UsageError(f"{what}: {text} is negative")
        return text
    match = _NUMBER.match(text) if isinstance(text, str) else None
    if match is None or match[2].lower() not in units:
        known = ", ".join(unit.upper() for unit in units if unit)
        raise UsageError(f"{what}: {text!r} is no size; write a number and one of {known}")
    return round(float(match[1]) * units[match[2].lower()])


@dataclass(frozen=True, slots=True)
class Violation:
    """A budget that a prediction breaks."""

    budget: str
    limit: int
    actual: int

    def __str__(self) -> str:
        return f"{self.budget}: {self.actual:,} exceeds the budget of {self.limit:,}"


@dataclass(frozen=True, slots=True)
class Budgets:
    """Upper limits; None means no limit. Arena and flash in bytes, MACs per inference."""

    max_arena: int | None = None
    max_flash: int | None = None
    max_macs: int | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Budgets:
        """Budgets from texts such as {"max_arena": "100KB", "max_macs": "20M"}.

        Raises:
            UsageError: an unknown budget or a malformed size.
        """
        units = {"max_arena": BYTE_UNITS, "max_flash": BYTE_UNITS, "max_macs": COUNT_UNITS}
        unknown = sorted(set(values) - set(units))
        if unknown:
            raise UsageError(f"unknown budget {unknown[0]!r}; known: {', '.join(units)}")
        return cls(
            **{
                name: parse_quantity(text, units[name], name)
                for name, text in values.items()
                if text is not None
            }
        )

    def violations(self, prediction: Prediction) -> tuple[Violation, ...]:
        """The budgets that are exceeded."""
        actual = {
            "max_arena": prediction.arena.required_bytes,
            "max_flash": prediction.flash_total_bytes,
            "max_macs": prediction.ops.total_macs,
        }
        return tuple(
            Violation(name.replace("_", "-"), limit, actual[name])
            for name, limit in (
                ("max_arena", self.max_arena),
                ("max_flash", self.max_flash),
                ("max_macs", self.max_macs),
            )
            if limit is not None and actual[name] > limit
        )
