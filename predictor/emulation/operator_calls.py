"""Which functions each operator called: the run's profile, taken apart at the operators' starts.

A profile holds each pair of caller and callee once. Where a function has several callers, what it
called is shared out among them by the instructions that it spent for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from predictor.emulation.machine import Machine, Profile, RunResult, StopReason
from predictor.records import dataclass

OPERATOR_SYMBOL = "_ZN6runner15OperatorCounter6InvokeEiP13TfLiteContextP10TfLiteNode"
"""The runner calls each operator from here (firmware/runner/operator_counter.cc)."""
_DEEPEST = 24

Edges = Mapping[tuple[str | None, str], tuple[int, int]]
"""(calls, instructions) of each pair of caller and callee."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function below an operator: all its calls there, with what it called itself."""

    function: str
    calls: int
    instructions: int
    callees: tuple[Call, ...]


def run_by_operator(
    machine: Machine, max_instructions: int | None, timeout_s: float | None
) -> RunResult:
    """Runs until the core sleeps at the program's end; ``profiles`` are those at each operator's
    start and the last one."""
    profiles: list[Profile] = []
    while True:
        result = machine.run(
            until_symbol=OPERATOR_SYMBOL, max_instructions=max_instructions, timeout_s=timeout_s
        )
        if result.profile is not None:
            profiles.append(result.profile)
        if result.stop is not StopReason.SYMBOL:
            stop = StopReason.SYMBOL if result.stop is StopReason.IDLE else result.stop
            return replace(result, stop=stop, profiles=tuple(profiles))


def operator_calls(profiles: Sequence[Profile], operators: int) -> tuple[tuple[Call, ...], ...]:
    """For each of the last ``operators`` starts, what the operator called, in order of work.

    None at all where the profiles do not reach to the end of all operators.
    """
    if len(profiles) <= operators:
        return ()
    last = [_edges(profile) for profile in profiles[-operators - 1 :]]
    return tuple(
        _callees(OPERATOR_SYMBOL, _difference(before, after), 1.0, ())
        for before, after in pairwise(last)
    )


def _edges(profile: Profile) -> Edges:
    return {
        (edge.caller, edge.callee): (edge.calls, edge.inclusive_instructions)
        for edge in profile.calls
    }


def _difference(before: Edges, after: Edges) -> Edges:
    difference = {}
    for pair, (calls, instructions) in after.items():
        earlier_calls, earlier_instructions = before.get(pair, (0, 0))
        if calls > earlier_calls:
            difference[pair] = (calls - earlier_calls, instructions - earlier_instructions)
    return difference


def _callees(caller: str, edges: Edges, share: float, path: tuple[str, ...]) -> tuple[Call, ...]:
    if len(path) > _DEEPEST:
        return ()
    found = []
    for (edge_caller, callee), (calls, instructions) in edges.items():
        if edge_caller != caller or callee in path:
            continue
        total = sum(spent for (_, name), (_, spent) in edges.items() if name == callee)
        below = share * instructions / total if total else 0.0
        found.append(
            Call(
                callee,
                round(share * calls),
                round(share * instructions),
                _callees(callee, edges, below, (*path, callee)),
            )
        )
    return tuple(sorted(found, key=lambda call: (-call.instructions, call.function)))
