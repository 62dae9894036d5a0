"""Memory plans with an error, and an independent account of the harm that each does.

The account follows every single access of a recorded run, byte by byte; it shares no code with
shadow memory, which works with the first and last use of each byte.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from predictor.emulation.machine import Machine
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.model.metadata import OFFLINE_PLAN, offline_plan_bytes
from predictor.model.tflite_writer import write_model
from predictor.optimization.exact_planner import solve
from predictor.optimization.offline_plan import tensor_offsets
from predictor.optimization.overlap import OverlapLevel, problem_of
from predictor.optimization.plan_problem import PlanProblem
from predictor.proof.model_run import RunOptions, random_inputs, run_inputs
from predictor.proof.plan_proof import Firmware
from predictor.proof.shadow_run import MARKER_SYMBOL

KINDS = ("distance", "offset", "lifetime")
SOLVER_S = 0.5


@dataclass(frozen=True)
class Mutation:
    """A model whose plan has one error."""

    kind: str
    content: bytes


def with_plan(graph: Graph, report: ArenaReport, offsets: Sequence[int]) -> bytes:
    plan = memoryview(offline_plan_bytes(tensor_offsets(graph, report.buffers, offsets)))
    metadata = MappingProxyType({**graph.metadata, OFFLINE_PLAN: plan})
    return write_model(replace(graph, metadata=metadata))


def mutations(graph: Graph, report: ArenaReport, count: int, seed: int) -> Iterator[Mutation]:
    """Plans that follow from a rule that is wrong, and a right plan with two offsets swapped."""
    rng = random.Random(seed)
    problem = problem_of(report, OverlapLevel.DIAGONAL)
    best = solve(problem, SOLVER_S).offsets
    binding = [
        item
        for item in problem.overlaps
        if best[item.lower] < best[item.upper]
        and best[item.lower] + problem.buffers[item.lower].size_bytes > best[item.upper]
    ]
    for _ in range(count):
        kind = rng.choice(KINDS)
        if kind == "distance" and binding:
            offsets = solve(_closer(problem, rng.choice(binding)), SOLVER_S).offsets
        elif kind == "lifetime":
            offsets = solve(_shorter_life(problem, rng), SOLVER_S).offsets
        else:
            kind, offsets = "offset", _swapped(best, problem, rng)
        yield Mutation(kind, with_plan(graph, report, offsets))


def _closer(problem: PlanProblem, overlap: object) -> PlanProblem:
    overlaps = [
        item._replace(distance_bytes=max(0, item.distance_bytes - 16)) if item is overlap else item
        for item in problem.overlaps
    ]
    return PlanProblem(problem.buffers, overlaps)


def _shorter_life(problem: PlanProblem, rng: random.Random) -> PlanProblem:
    buffers = list(problem.buffers)
    index = rng.choice([i for i, b in enumerate(buffers) if b.last_use > b.first_use])
    victim = buffers[index]
    if rng.random() < 0.5:
        buffers[index] = victim._replace(last_use=victim.last_use - 1)
    else:
        buffers[index] = victim._replace(first_use=victim.first_use + 1)
    return PlanProblem(buffers, problem.overlaps)


def _swapped(best: Sequence[int], problem: PlanProblem, rng: random.Random) -> list[int]:
    offsets = list(best)
    tensors = [i for i, buffer in enumerate(problem.buffers) if not buffer.is_scratch]
    a, b = rng.sample(tensors, 2)
    offsets[a], offsets[b] = offsets[b], offsets[a]
    return offsets


@dataclass(frozen=True)
class Access:
    """A read or write that begins in a buffer; ``buffer`` indexes the report's buffers."""

    operator: int | None
    buffer: int
    byte: int
    size_bytes: int
    is_write: bool


def trace(content: bytes, report: ArenaReport, firmware: Firmware) -> list[Access]:
    """Every access to a buffer in one inference of a model without a plan, in order."""
    rows: list[tuple[int, int, int, int]] = []
    graph, arena_bytes = report.prepared.graph, report.required_bytes
    places: dict[str, int] = {}

    @contextmanager
    def recording(machine: Machine) -> Iterator[None]:
        assert isinstance(machine, UnicornMachine)
        places["marker"] = machine.symbol(MARKER_SYMBOL)
        places["arena"] = (machine.symbol("__ram_end") - arena_bytes) & ~15
        end = places["arena"] + report.nonpersistent_bytes
        recorder = machine.trace_accesses(
            places["marker"],
            end,
            lambda part: rows.extend(part[["address", "value", "bytes", "is_write"]].tolist()),
        )
        yield
        recorder.flush()
        recorder.remove()

    machine = UnicornMachine(firmware.platform)
    inputs = [random_inputs(graph, 0)]
    run_inputs(
        machine, content, graph, firmware.image, inputs, arena_bytes, RunOptions(), recording
    )
    return list(_meanings(rows, places["marker"], places["arena"], report))


Owners = dict[int, tuple[int, int]]
"""Buffer and byte in it, for each address of the arena."""


def _meanings(
    rows: Sequence[tuple[int, int, int, int]], marker: int, arena: int, report: ArenaReport
) -> Iterator[Access]:
    running = 0
    read: Owners = {}
    written: Owners = {}
    for address, value, size, is_write in rows:
        if address == marker:
            running = value
            read, written = _owners(report, running)
        elif running and (owner := (written if is_write else read).get(address - arena)):
            operator = None if running == 1 else running & 0xFFFF
            yield Access(operator, *owner, size, bool(is_write))


def _owners(report: ArenaReport, running: int) -> tuple[Owners, Owners]:
    """What a read and what a write of an address mean, for an operator or the application."""
    main = report.prepared.graph.main
    if running == 1:
        return _of_tensors(report, main.outputs), _of_tensors(report, main.inputs)
    op = main.operators[running & 0xFFFF]
    found = _of_tensors(report, (*op.inputs, *op.outputs))
    for index, buffer in enumerate(report.buffers):
        if buffer.operator_index == op.index:
            found |= {buffer.offset + byte: (index, byte) for byte in range(buffer.size_bytes)}
    return found, found


def _of_tensors(report: ArenaReport, tensors: Sequence[int]) -> Owners:
    return {
        buffer.offset + byte: (index, byte)
        for index, buffer in enumerate(report.buffers)
        if buffer.tensor is not None and buffer.tensor.index in tensors
        for byte in range(report.content_bytes(buffer))
    }


def reads_of_overwritten_bytes(
    accesses: Sequence[Access], report: ArenaReport, offsets: Sequence[int]
) -> set[tuple[int | None, int]]:
    """(operator or None for the application, buffer) of each read of what another has written."""
    sizes = [report.content_bytes(buffer) for buffer in report.buffers]
    main = report.prepared.graph.main
    inputs = {op.index: set(op.inputs) for op in main.operators}
    memory: dict[int, int] = {}
    found = set()
    for _ in range(2):
        fresh: set[tuple[int, int]] = set()  # what the operator at hand has written
        last: int | None = None
        for access in accesses:
            if access.operator != last:
                fresh, last = set(), access.operator
            begin = offsets[access.buffer] + access.byte
            tensor = report.buffers[access.buffer].tensor
            is_input = access.operator is None or (
                tensor is not None and tensor.index in inputs[access.operator]
            )
            for address in range(begin, begin + access.size_bytes):
                if access.is_write:
                    memory[address] = access.buffer
                    fresh.add((access.buffer, address))
                elif (
                    address - offsets[access.buffer] < sizes[access.buffer]
                    and (is_input or (access.buffer, address) in fresh)
                    and memory.get(address) != access.buffer
                ):
                    found.add((access.operator, access.buffer))
    return found
