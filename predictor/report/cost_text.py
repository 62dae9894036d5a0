"""Latency and energy in words, for the reports of terminals and Markdown."""

from __future__ import annotations

from predictor.intervals import Intervals
from predictor.prediction import Prediction

NO_POWER = "the board's file holds no power: give [power.convolution], or like in [power]"
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float, unit: str) -> str:
    """Three significant digits with the prefix that suits: 0.2543 s is 254 ms."""
    size, prefix = next((p for p in _PREFIXES if value >= p[0] * 0.9995), _PREFIXES[-1])
    return f"{value / size:.3g} {prefix}{unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def duration(seconds: float) -> str:
    """Seconds, hours or days, whichever reads best."""
    for size, name in ((86_400.0, "days"), (3_600.0, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {name}"
    return quantity(seconds, "s")


def cost_rows(prediction: Prediction) -> list[tuple[str, str, str]]:
    """(name, figure, remark) of latency, energy and what they rest on."""
    latency, energy, work = prediction.latency, prediction.energy, prediction.work
    rows = [
        (
            "latency",
            quantity(latency.seconds, "s"),
            f"{_intervals(latency.intervals, 's')}; {latency.inferences_per_s:.3g} FPS",
        ),
        ("", "", latency.evidence),
    ]
    if energy is not None:
        rows.append(
            (
                "energy",
                quantity(energy.joules, "J"),
                f"{_intervals(energy.intervals, 'J')}; at {quantity(energy.power_w, 'W')}",
            )
        )
        if energy.power.is_inferred:
            rows.append(("", "", energy.power.evidence))
    else:
        rows.append(("energy", "-", NO_POWER))
    rows.append(
        (
            "instructions",
            f"{work.instructions:,.0f}",
            f"{work.loads:,.0f} loads, {work.unaligned_loads:,.0f} of them unaligned; "
            f"{latency.cycles:,.0f} cycles",
        )
    )
    if prediction.op_proxy is not None:
        proxy = prediction.op_proxy
        rows.append(
            (
                "by operations only",
                quantity(proxy.seconds, "s"),
                f"the paper's proxy, {proxy.ops_per_s / 1e6:,.0f} Mops/s; off by "
                f"{100 * proxy.relative_error:.0f} % or so from one model to another",
            )
        )
    return [*rows, *_duty_rows(prediction)]


def _duty_rows(prediction: Prediction) -> list[tuple[str, str, str]]:
    duty = prediction.duty
    if duty is None:
        return []
    sleep = (
        f"asleep at {quantity(duty.sleep_w, 'W')}"
        if duty.sleep_w is not None
        else "power asleep is unknown and left out: a lower bound"
    )
    rate = f"at {duty.inferences_per_s:g} FPS"
    if duty.is_overloaded:
        return [(rate, "too slow", "an inference takes longer than that")]
    rows = [(rate, quantity(duty.average_w, "W"), f"busy {100 * duty.busy:.3g} % of time; {sleep}")]
    battery = prediction.options.battery_j
    if battery is not None:
        rows.append(("battery life", duration(duty.battery_life_s(battery)), "at that power"))
    return rows


def _intervals(intervals: Intervals, unit: str) -> str:
    parts = []
    for level, interval in ((80, intervals.interval_80), (95, intervals.interval_95)):
        parts.append(
            f"{level} %: {quantity(interval.low, unit)} to {quantity(interval.high, unit)}"
        )
    return ", ".join(parts)
