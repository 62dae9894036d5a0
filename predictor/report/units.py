"""Times and energies with three digits and the unit that suits them."""

from __future__ import annotations

from collections.abc import Sequence

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_ENERGIES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))


def time_words(seconds: float) -> str:
    """For example "29.4 ms"."""
    return _words(seconds, _TIMES)


def energy_words(joules: float) -> str:
    """For example "13.1 mJ"."""
    return _words(joules, _ENERGIES)


def time_unit(seconds: float) -> tuple[float, str]:
    """Size and name of the unit in which a time is written."""
    return _unit(seconds, _TIMES)


def _words(value: float, units: Sequence[tuple[float, str]]) -> str:
    size, name = _unit(value, units)
    return f"{digits(value / size)} {name}"


def _unit(value: float, units: Sequence[tuple[float, str]]) -> tuple[float, str]:
    # 999.6 of a unit is written as 1 of the next.
    return next((unit for unit in units if value >= 0.9995 * unit[0]), units[-1])


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
