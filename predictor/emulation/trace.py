"""Traces of emulated runs: operators as Chrome trace events, functions as a table.

Open a trace in Perfetto (ui.perfetto.dev) or chrome://tracing. Time is instructions divided by the
core's clock: emulators know neither caches nor wait states, so it is no latency.
"""

from __future__ import annotations

from typing import Any

from predictor.emulation.machine import Profile
from predictor.emulation.model_run import ModelRun


def chrome_trace(run: ModelRun, model_name: str) -> dict[str, Any]:
    """Operators one after the other on one track, in the order in which they ran."""
    clock_hz = run.board.core.clock_hz
    events: list[dict[str, Any]] = [
        _name("process_name", f"{model_name} on {run.board.name}"),
        _name("thread_name", "operators (time = instructions / clock)"),
    ]
    start = 0
    for item in run.operators:
        events.append(
            {
                "name": f"{item.index} {item.operator}",
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": 1e6 * start / clock_hz,
                "dur": 1e6 * item.instructions / clock_hz,
                "args": {"instructions": item.instructions, "macs": item.macs, "calls": item.calls},
            }
        )
        start += item.instructions
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "board": run.board.name,
            "clock_hz": clock_hz,
            "backend": run.backend,
            "tflm": run.image.tflm_revision,
            "kernels": run.image.kernels,
            "time": "instructions / clock_hz",
        },
    }


def _name(kind: str, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 1, "tid": 1, "args": {"name": name}}


def profile_table(profile: Profile) -> str:
    """Functions as CSV, most instructions of their own first."""
    lines = ["function,calls,self_instructions,inclusive_instructions"]
    lines += [
        f'"{item.name}",{item.calls},{item.self_instructions},{item.inclusive_instructions}'
        for item in profile.functions
    ]
    return "\n".join(lines) + "\n"
