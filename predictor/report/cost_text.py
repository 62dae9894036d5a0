"""Latency and energy in words, for the reports of terminals and Markdown."""

from __future__ import annotations

from math import inf

from predictor.cost.inference import LayerRuns
from predictor.intervals import Intervals
from predictor.prediction import Prediction

NO_POWER = "the board's file holds no power: give [power.convolution], or like in [power]"
_MOST_LOOPS = 20
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float, unit: str) -> str:
    """Three significant digits with the prefix that suits: 0.2543 s is 254 ms."""
    size, prefix = next((p for p in _PREFIXES if value >= p[0] * 0.9995), _PREFIXES[-1])
    return f"{value / size:.3g} {prefix}{unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def _rate(per_second: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{per_second:.3g}" if per_second < 999.5 else f"{per_second:,.0f}"


def duration(seconds: float) -> str:
    """Seconds, hours or days, whichever reads best."""
    for size, name in ((86_400.0, "days"), (3_600.0, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {name}"
    return quantity(seconds, "s")


def open_words(prediction: Prediction) -> list[str]:
    """Why the work of an inference has no bound, one sentence a reason; none where it has one."""
    if not prediction.execution.is_followed:
        return ["control flow calls itself or is too long to follow: figures are lower bounds"]
    return [
        f"WHILE, operator {index} of {_subgraph_words(subgraph)}, runs rounds whose number does "
        "not follow from constants"
        for subgraph, index in sorted(prediction.execution.each.open_loops())
    ]


def _subgraph_words(index: int) -> str:
    return f"subgraph {index}" if index else "the model"


def macs_words(prediction: Prediction) -> str:
    """MACs of an inference: a number, from the cheapest branches to the dearest, or at least."""
    ops = prediction.ops
    if ops.is_open:
        return f"at least {ops.least_macs:,}"
    if ops.least_macs < ops.total_macs:
        return f"{ops.least_macs:,} to {ops.total_macs:,}"
    return f"{ops.total_macs:,}"


def runs_words(runs: LayerRuns) -> str:
    """How often an inference runs a layer: "1", "0 to 1", "3 on", or "once" for the first alone."""
    if runs.once and not runs.most:
        return "once"
    if runs.most is None:
        return f"{runs.least:,} on"
    return f"{runs.most:,}" if runs.least == runs.most else f"{runs.least:,} to {runs.most:,}"


def _flow_rows(prediction: Prediction) -> list[tuple[str, str, str]]:
    """What branches, loops of unknown length and initialisation add to the row of latency."""
    latency = prediction.latency
    rows = []
    if latency.least_s < latency.seconds:
        rows.append(
            ("  cheapest branches", quantity(latency.least_s, "s"), "the figure is of the dearest")
        )
    loops = prediction.loop_rounds
    for each in loops[:_MOST_LOOPS]:
        where = f"operator {each.index} of {_subgraph_words(each.subgraph_index)}"
        rows.append(
            ("  each round more", quantity(each.seconds, "s"), f"WHILE, {where}: rounds not known")
        )
    if len(loops) > _MOST_LOOPS:
        rows.append(("", "", f"and {len(loops) - _MOST_LOOPS:,} more loops"))
    if prediction.inference.once:
        rows.append(
            ("  once more", quantity(latency.once_s, "s"), "CALL_ONCE, in the first inference")
        )
    return rows


def cost_rows(prediction: Prediction) -> list[tuple[str, str, str]]:
    """(name, figure, remark) of latency, energy and what they rest on."""
    latency, energy, work = prediction.latency, prediction.energy, prediction.work
    rows = [
        (
            "latency",
            ("≥ " if latency.is_open else "") + quantity(latency.seconds, "s"),
            f"{_intervals(latency.intervals, 's')}; "
            + ("no bound" if latency.is_open else f"{_rate(latency.inferences_per_s)} FPS"),
        ),
        ("", "", latency.evidence),
        *_flow_rows(prediction),
    ]
    if energy is not None:
        rows.append(
            (
                "energy",
                ("≥ " if latency.is_open else "") + quantity(energy.joules, "J"),
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
        low, high = quantity(interval.low, unit), quantity(interval.high, unit)
        is_open = interval.high == inf
        parts.append(f"{level} %: " + (f"from {low} on" if is_open else f"{low} to {high}"))
    return ", ".join(parts)
