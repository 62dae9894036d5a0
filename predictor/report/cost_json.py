"""The JSON form of instructions, latency and energy. Times in seconds, energies in joules."""

from __future__ import annotations

from math import inf
from typing import Any

from predictor.cost.instructions import Work
from predictor.cost.latency import features
from predictor.intervals import Interval, Intervals
from predictor.prediction import Prediction


def cost_json(prediction: Prediction) -> dict[str, Any]:
    """The members ``instructions``, ``latency`` and ``energy``."""
    work, latency, energy = prediction.work, prediction.latency, prediction.energy
    return {
        "instructions": {
            "total": round(work.instructions),
            **_counts(work),
            "stores": round(work.stores),
            "mac_instructions": round(work.mac_instructions),
            "streamed_bytes": work.streamed_bytes,
            "basis": work.basis.value,
        },
        "latency": {
            "seconds": _figures(latency.seconds),
            **_intervals(latency.intervals),
            "least_seconds": _figures(latency.least_s),
            "once_seconds": _figures(latency.once_s),
            "is_open": latency.is_open,
            "rounds": [
                {
                    "subgraph": each.subgraph_index,
                    "index": each.index,
                    "seconds": _figures(each.seconds),
                }
                for each in prediction.loop_rounds
            ],
            "cycles": round(latency.cycles),
            "fps": _figures(latency.inferences_per_s),
            "basis": latency.basis.value,
            "evidence": latency.evidence,
        },
        "energy": None
        if energy is None
        else {
            "joules": _figures(energy.joules),
            **_intervals(energy.intervals),
            "power_w": _figures(energy.power_w),
            "evidence": energy.evidence,
        },
        "op_proxy": None
        if prediction.op_proxy is None
        else {
            "seconds": _figures(prediction.op_proxy.seconds),
            "ops_per_s": prediction.op_proxy.ops_per_s,
            "relative_error": prediction.op_proxy.relative_error,
        },
        "duty_cycle": _duty(prediction),
    }


def _duty(prediction: Prediction) -> dict[str, Any] | None:
    duty = prediction.duty
    if duty is None:
        return None
    return {
        "fps": duty.inferences_per_s,
        "busy": _figures(duty.busy),
        "sleep_w": duty.sleep_w,
        "average_w": _figures(duty.average_w),
        "battery_life_s": None
        if prediction.options.battery_j is None
        else _figures(duty.battery_life_s(prediction.options.battery_j)),
    }


def layer_costs_json(prediction: Prediction) -> list[dict[str, Any]]:
    """What is added to each of ``layers``."""
    costs = prediction.timing.costs
    return [
        {
            "instructions": round(work.instructions),
            **_counts(work),
            "cycles": round(costs.cycles(features([work]))),
            "latency_s": _figures(latency_s),
            "instructions_basis": work.basis.value,
            "runs_least": runs.least,
            "runs_most": runs.most,
            "runs_once": runs.once,
        }
        for work, latency_s, runs in zip(
            prediction.works,
            prediction.layer_latencies_s,
            prediction.inference.layer_runs,
            strict=True,
        )
    ]


def _counts(work: Work) -> dict[str, int]:
    return {"loads": round(work.loads), "unaligned_loads": round(work.unaligned_loads)}


def _intervals(intervals: Intervals) -> dict[str, list[float | None]]:
    return {
        "interval_80": _ends(intervals.interval_80),
        "interval_95": _ends(intervals.interval_95),
    }


def _ends(interval: Interval) -> list[float | None]:
    """Low and high end; the high one is None where there is no bound."""
    return [_figures(interval.low), None if interval.high == inf else _figures(interval.high)]


def _figures(value: float) -> float:
    """Six significant digits: reports must not differ by the last bit of a platform's libm."""
    return float(f"{value:.6g}")
