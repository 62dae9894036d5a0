"""Budgets that a prediction is held against, and the sizes people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

from predictor.errors import UsageError
from predictor.prediction import Prediction
from predictor.records import dataclass
from predictor.report.cost_text import NO_POWER, open_words
from predictor.toml import shown

_NUMBER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]*)\s*", re.ASCII)
_MOST = 10**15
"""As many digits as a float holds exactly; nothing that people limit is larger."""
BYTE_UNITS: Mapping[str, int] = MappingProxyType(
    {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20}
)
"""A kilobyte is 1,024 bytes, as in data sheets of microcontrollers."""
COUNT_UNITS: Mapping[str, int] = MappingProxyType({"": 1, "k": 10**3, "m": 10**6, "g": 10**9})


def parse_quantity(text: object, units: Mapping[str, int], what: str) -> int:
    """The number that a text such as "100KB" or "20M" stands for; a whole number is itself.

    Raises:
        UsageError: not a number with one of the units, negative, or of more than 15 digits.
    """
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < _MOST:
        return text
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2].lower() not in units:
        known = ", ".join(unit.upper() for unit in units if unit)
        raise UsageError(f"{what}: {shown(text)} is no size; write a number and one of {known}")
    return round(float(match[1]) * units[match[2].lower()])


SECOND_UNITS: Mapping[str, float] = MappingProxyType({"s": 1.0, "ms": 1e-3, "us": 1e-6})
JOULE_UNITS: Mapping[str, float] = MappingProxyType(
    {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "wh": 3600.0, "mwh": 3.6}
)


def parse_measure(text: object, units: Mapping[str, float], what: str) -> float:
    """The quantity, in the first unit, that a text such as "20ms" or "1.5 mJ" stands for.

    Raises:
        UsageError: not a positive number with one of the units.
    """
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    value = float(match[1]) * units.get(match[2].lower(), 0.0) if match else 0.0
    if not value > 0:
        known = ", ".join(units)
        raise UsageError(
            f"{what}: {shown(text)} is no quantity; write a positive number and a unit: {known}"
        )
    return value


def rule_of(budget: str) -> str:
    """The name of a budget in reports: "max-arena" for "max_arena"."""
    return budget.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Violation:
    """A budget that a prediction breaks. ``actual`` is infinite where it has no bound or is not
    known, for the reason ``why_unknown``."""

    budget: str
    limit: float
    actual: float
    unit: str = ""
    why_unknown: str = ""

    def __str__(self) -> str:
        limit, actual = self._words(self.limit), self._words(self.actual)
        if self.actual == inf:
            return f"{self.budget}: no bound is known, the budget is {limit}: {self.why_unknown}"
        return f"{self.budget}: {actual} exceeds the budget of {limit}"

    def _words(self, value: float) -> str:
        return f"{value:.4g} {self.unit}" if self.unit else f"{value:,}"


@dataclass(frozen=True, slots=True)
class Budgets:
    """Upper limits; None means no limit. Arena and flash in bytes, MACs per inference.

    Latency (seconds) and energy (joules) are held against the estimates of the dearest branches,
    not their intervals. What is not known breaks any budget: loops of unknown length, and the
    energy of a board whose power is not known.
    """

    max_arena: int | None = None
    max_flash: int | None = None
    max_macs: int | None = None
    max_latency: float | None = None
    max_energy: float | None = None

    def violations(self, prediction: Prediction) -> tuple[Violation, ...]:
        """The budgets that are exceeded."""
        wanted = {name: limit for name in BUDGETS if (limit := getattr(self, name)) is not None}
        found = []
        for name, limit in wanted.items():
            actual = BUDGETS[name].actual(prediction)
            if actual > limit:
                why = _why_unknown(prediction) if actual == inf else ""
                found.append(Violation(rule_of(name), limit, actual, BUDGETS[name].unit, why))
        return tuple(found)


def _why_unknown(prediction: Prediction) -> str:
    if not prediction.latency.is_open:
        return NO_POWER
    (why, *_) = open_words(prediction)
    return why


@dataclass(frozen=True, slots=True)
class Budget:
    """What one kind of budget limits: how its text is read, what it is held against, in which
    unit, and in words."""

    parse: Callable[[Any, str], Any]
    actual: Callable[[Prediction], float]
    unit: str
    rule: str


BUDGETS: Mapping[str, Budget] = {
    "max_arena": Budget(
        lambda text, name: parse_quantity(text, BYTE_UNITS, name),
        lambda prediction: prediction.arena.required_bytes,
        "",
        "The arena is within its budget",
    ),
    "max_flash": Budget(
        lambda text, name: parse_quantity(text, BYTE_UNITS, name),
        lambda prediction: prediction.flash_total_bytes,
        "",
        "The flash is within its budget",
    ),
    "max_macs": Budget(
        lambda text, name: parse_quantity(text, COUNT_UNITS, name),
        lambda prediction: inf if prediction.ops.is_open else prediction.ops.total_macs,
        "",
        "The multiply-accumulate operations are within their budget",
    ),
    "max_latency": Budget(
        lambda text, name: parse_measure(text, SECOND_UNITS, name),
        lambda prediction: inf if prediction.latency.is_open else prediction.latency.seconds,
        "s",
        "The time of an inference is within its budget",
    ),
    "max_energy": Budget(
        lambda text, name: parse_measure(text, JOULE_UNITS, name),
        lambda prediction: (
            inf
            if prediction.energy is None or prediction.latency.is_open
            else prediction.energy.joules
        ),
        "J",
        "The energy of an inference is known and within its budget",
    ),
}
"""Budgets by name."""
