"""Traces of emulated runs: operators and functions as Chrome trace events, functions as a table.

Open a trace in Perfetto (ui.perfetto.dev) or chrome://tracing. Time is instructions divided by the
core's clock: emulators know neither caches nor wait states, so it is no latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from predictor.emulation.machine import Profile
from predictor.emulation.operator_calls import Call, operator_calls
from predictor.firmware.symbols import readable_symbol
from predictor.proof.model_run import ModelRun

Event = dict[str, Any]


def chrome_trace(run: ModelRun, model_name: str) -> dict[str, Any]:
    """Operators one after the other on one track, in the order in which they ran, and below each
    the functions that it called, all calls of a function as one event, most work first.

    Functions are there where the run traced calls and each operator ran once.
    """
    clock_hz = run.board.core.clock_hz
    ran_once = all(item.calls == 1 for item in run.operators)
    calls = operator_calls(run.result.profiles, len(run.operators)) if ran_once else ()
    events: list[Event] = [
        _name("process_name", f"{model_name} on {run.board.name}"),
        _name("thread_name", "operators and functions (time = instructions / clock)"),
    ]
    start = 0
    for position, item in enumerate(run.operators):
        counts = {"macs": item.macs, "calls": item.calls}
        name = f"{item.index} {item.operator}"
        events.append(_event(name, "operator", start, item.instructions, clock_hz, counts))
        if calls:
            events += _functions(calls[position], start, start + item.instructions, clock_hz)
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


def _functions(calls: Iterable[Call], start: int, end: int, clock_hz: int) -> Iterator[Event]:
    """Events of functions, one behind the other within their caller's."""
    for call in calls:
        stop = min(start + call.instructions, end)
        name = readable_symbol(call.function)
        counts = {"calls": call.calls}
        yield _event(name, "function", start, stop - start, clock_hz, counts)
        yield from _functions(call.callees, start, stop, clock_hz)
        start = stop


def _event(
    name: str, category: str, start: int, instructions: int, clock_hz: int, counts: dict[str, int]
) -> Event:
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "pid": 1,
        "tid": 1,
        "ts": 1e6 * start / clock_hz,
        "dur": 1e6 * instructions / clock_hz,
        "args": {"instructions": instructions, **counts},
    }


def _name(kind: str, name: str) -> Event:
    return {"name": kind, "ph": "M", "pid": 1, "tid": 1, "args": {"name": name}}


def profile_table(profile: Profile) -> str:
    """Functions as CSV, most instructions of their own first."""
    lines = ["function,calls,self_instructions,inclusive_instructions"]
    lines += [
        f'"{item.name}",{item.calls},{item.self_instructions},{item.inclusive_instructions}'
        for item in profile.functions
    ]
    return "\n".join(lines) + "\n"
