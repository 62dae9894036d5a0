"""Runs a model in firmware on an emulated board and holds the result against the prediction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field

import numpy as np

from predictor.boards.board import Board
from predictor.emulation.backends import make_machine
from predictor.emulation.cycles import Cycles, total_cycles
from predictor.emulation.machine import Machine, RunResult, StopReason
from predictor.emulation.operator_calls import run_by_operator
from predictor.errors import (
    EmulationError,
    FlashOverflowError,
    UsageError,
)
from predictor.firmware.arenas import ArenaPlace
from predictor.firmware.build import FirmwareImage
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.protocol import AllocationFailed, Failed
from predictor.firmware.runner_report import FirmwareReport, describe_failure, read_report
from predictor.memory.arena_report import ArenaReport, SplitArena
from predictor.model.builder.tensors import NUMPY_TYPES
from predictor.model.graph import Graph, Tensor
from predictor.proof.host_check import Array, HostCheck, compare_with_host
from predictor.proof.operator_cycles import CycleWatch
from predictor.records import dataclass

END_SYMBOL = "runner_done"
ALL_FREE_RAM = 0
"""As size of the arena: all RAM that the firmware leaves."""


@dataclass(frozen=True, slots=True)
class OperatorRun:
    """One operator in one inference, as the firmware counted it.

    ``cycles``: clock cycles by the core's pipeline with memory that never waits; those of operators
    that it called are not in them. None where the emulator, or the core's file, cannot tell.
    """

    subgraph_index: int
    index: int
    operator: str
    calls: int
    instructions: int
    macs: int
    cycles: Cycles | None


@dataclass(frozen=True)
class ModelRun:
    """One model on one emulated board. ``failure`` is None where it ran to its end."""

    board: Board
    image: FirmwareImage
    backend: str
    arena: ArenaReport
    arena_bytes: int
    arenas: tuple[ArenaPlace, ...]
    failure: str | None
    operators: tuple[OperatorRun, ...]
    outputs: tuple[bytes, ...]
    host: HostCheck
    host_reason: str
    result: RunResult = field(repr=False)
    report: FirmwareReport = field(repr=False)
    blob: bytes = field(repr=False)
    """The model and its inputs, as they were in flash behind the firmware."""

    @property
    def used_bytes(self) -> int | None:
        """What TFLM's ``arena_used_bytes()`` returned."""
        return None if self.report.arena is None else self.report.arena.used_bytes

    @property
    def head_bytes(self) -> int | None:
        return None if self.report.arena is None else self.report.arena.head_bytes

    @property
    def tail_bytes(self) -> int | None:
        return None if self.report.arena is None else self.report.arena.tail_bytes

    @property
    def stack_used_bytes(self) -> int | None:
        """High-water mark of the painted stack."""
        return None if self.report.stack is None else self.report.stack.used_bytes

    @property
    def invoke_instructions(self) -> int | None:
        """Instructions of Invoke without the hooks that count operators."""
        run = self.report.runs.get(0)
        return None if run is None or run.invoke is None else run.cyccnt

    @property
    def interpreter_instructions(self) -> int | None:
        """What of Invoke was spent between the operators, in the interpreter."""
        if self.invoke_instructions is None:
            return None
        # The count of a control flow operator holds those of the subgraphs that it runs.
        outermost = (item for item in self.operators if item.subgraph_index == 0)
        return self.invoke_instructions - sum(item.instructions for item in outermost)

    @property
    def operator_cycles(self) -> Cycles | None:
        """Clock cycles of all operators."""
        counted = [item.cycles for item in self.operators if item.cycles is not None]
        return total_cycles(counted) if counted else None

    @property
    def is_out_of_memory(self) -> bool:
        """Whether RAM or the arena was too small."""
        failure = self.report.failure
        return isinstance(failure, AllocationFailed) or (
            isinstance(failure, Failed) and failure.reason in ("arena_exceeds_ram", "ram_full")
        )

    @property
    def predicted(self) -> ArenaReport | SplitArena:
        """What was predicted of the one arena, or of the two."""
        split = self.arena.split if len(self.arenas) > 1 else None
        return split or self.arena

    @property
    def is_arena_as_predicted(self) -> bool:
        """Whether head and tail together are as predicted, and each where there are two arenas."""
        predicted = self.predicted
        if isinstance(predicted, SplitArena) and self.tail_bytes != predicted.persistent_bytes:
            return False
        return self.used_bytes == predicted.used_bytes

    @property
    def passed(self) -> bool:
        """Whether it ran, took the predicted arena and computed what the host computes."""
        return (
            self.failure is None
            and self.is_arena_as_predicted
            and self.host is not HostCheck.DIFFERENT
        )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run. ``arena_bytes`` None sets aside exactly the predicted required bytes,
    :data:`ALL_FREE_RAM` what is left; ``arenas`` says instead where they lie. ``traces_calls``:
    profile each operator on its own, which takes the in-process emulator. ``counts_waits``: those
    for the board's flash, too."""

    backend: str = "auto"
    arena_bytes: int | None = None
    max_instructions: int | None = None
    timeout_s: float | None = None
    profile: bool = False
    traces_calls: bool = False
    counts_waits: bool = False
    arenas: tuple[ArenaPlace, ...] = ()


def run_model(
    content: bytes,
    arena: ArenaReport,
    image: FirmwareImage,
    board: Board,
    inputs: Sequence[Array] = (),
    options: RunOptions | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> ModelRun:
    """Runs one inference and compares it with the prediction and with the host runtime.

    Args:
        content: bytes of the .tflite file.
        arena: the prediction for the TFLM revision that ``image`` links.
        board: as the backend has it (``emulated_board``).
        inputs: one array for each input of the model; none at all takes :func:`random_inputs`.

    Raises:
        MissingDependencyError: the emulator is not installed.
        UsageError: inputs that the model does not take.
        FlashOverflowError: the model does not fit into the flash behind the firmware.
        EmulationError: the emulator itself failed. A failure of the firmware is a result.
    """
    options = options or RunOptions()
    graph = arena.prepared.graph
    arrays = tuple(inputs) or random_inputs(graph, seed=0)
    arena_bytes = arena.required_bytes if options.arena_bytes is None else options.arena_bytes
    if options.arenas:
        arena_bytes = sum(place.size_bytes for place in options.arenas)
    backend, machine = make_machine(options.backend, board, options.profile or options.traces_calls)
    progress(f"running on {board.name} ({backend})")
    watch = CycleWatch(graph, board.flash_timing if options.counts_waits else None)
    result = run_inputs(machine, content, graph, image, [arrays], arena_bytes, options, watch)
    report, _ = read_report(result.uart)
    failure = failure_of(result, report, arena_bytes)
    outputs = () if failure else outputs_of(graph, report)
    host, reason = (
        (HostCheck.UNCHECKED, "the firmware failed")
        if failure
        else compare_with_host(content, arrays, outputs)
    )
    return ModelRun(
        board=board,
        image=image,
        backend=backend,
        arena=arena,
        arena_bytes=arena_bytes,
        arenas=options.arenas,
        failure=failure,
        operators=_operators(arena, report, watch),
        outputs=outputs,
        host=host,
        host_reason=reason,
        result=result,
        report=report,
        blob=flash_blob(content, graph, [arrays], arena_bytes, options.arenas),
    )


Watch = Callable[[Machine], AbstractContextManager[object]]
"""What watches a machine while it runs."""


def run_inputs(
    machine: Machine,
    content: bytes,
    graph: Graph,
    image: FirmwareImage,
    inputs: Sequence[Sequence[Array]],
    arena_bytes: int,
    options: RunOptions,
    watch: Watch = nullcontext,
) -> RunResult:
    """Runs one inference for each element of ``inputs`` in a new machine, which it closes.

    Raises: as :func:`run_model`; FlashOverflowError where model and inputs do not fit into flash.
    """
    blob = flash_blob(content, graph, inputs, arena_bytes, options.arenas)
    _check_flash(image, len(blob))
    with machine:
        machine.load_elf(image.elf)
        machine.load_binary(blob, image.blob_address)
        with watch(machine):
            if options.traces_calls:
                return run_by_operator(machine, options.max_instructions, options.timeout_s)
            return machine.run(
                until_symbol=END_SYMBOL,
                max_instructions=options.max_instructions,
                timeout_s=options.timeout_s,
            )


def flash_blob(
    content: bytes,
    graph: Graph,
    inputs: Sequence[Sequence[Array]],
    arena_bytes: int,
    arenas: Sequence[ArenaPlace] = (),
) -> bytes:
    """What the host writes into flash behind the firmware: the model, and inputs for each run.

    Raises:
        UsageError: inputs that the model does not take.
    """
    for arrays in inputs:
        check_inputs(graph, arrays)
    blobs = [b"".join(np.ascontiguousarray(a).tobytes() for a in arrays) for arrays in inputs]
    return model_blobs(content, blobs, arena_bytes, arenas=arenas)


def _check_flash(image: FirmwareImage, blob_bytes: int) -> None:
    room = image.blob_room_bytes
    if blob_bytes > room:
        raise FlashOverflowError(
            f"the flash of {image.board} is {blob_bytes - room:,} bytes too small: behind "
            f"{image.flash_bytes:,} bytes of code it has {room:,} for model and input, which take "
            f"{blob_bytes:,}"
        )


def random_inputs(graph: Graph, seed: int) -> tuple[Array, ...]:
    """Arrays for the model's inputs: integers over their whole range, floats in [-1, 1]."""
    generator = np.random.default_rng(seed)
    arrays: list[Array] = []
    for index in graph.main.inputs:
        tensor = graph.main.tensors[index]
        kind = _numpy_type(tensor)
        if kind.kind == "f":
            arrays.append(generator.uniform(-1.0, 1.0, tensor.shape).astype(kind))
        elif kind.kind == "b":
            arrays.append(generator.integers(0, 2, tensor.shape).astype(kind))
        else:
            bounds = np.iinfo(kind.name)
            arrays.append(
                generator.integers(bounds.min, bounds.max, tensor.shape, kind, endpoint=True)
            )
    return tuple(arrays)


def load_inputs(path: str | os.PathLike[str]) -> tuple[Array, ...]:
    """Inputs from a .npy file (one input) or a .npz file (arr_0, arr_1, ...).

    Raises:
        UsageError: the file is missing or no array file.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return (loaded,)
        with loaded:
            return tuple(loaded[name] for name in sorted(loaded.files))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read inputs from {os.fspath(path)}: {error}") from error


def check_inputs(graph: Graph, arrays: Sequence[Array]) -> None:
    """Raises UsageError unless the arrays have the number, shapes and types of the inputs."""
    wanted = [graph.main.tensors[index] for index in graph.main.inputs]
    if len(arrays) != len(wanted):
        raise UsageError(f"the model has {len(wanted)} inputs, {len(arrays)} were given")
    for position, (tensor, array) in enumerate(zip(wanted, arrays, strict=True)):
        if array.shape != tensor.shape or array.dtype != _numpy_type(tensor):
            raise UsageError(
                f"input {position} ({tensor.name}) takes {tensor.type.name.lower()} of shape "
                f"{list(tensor.shape)}, not {array.dtype} of shape {list(array.shape)}"
            )


def _numpy_type(tensor: Tensor) -> np.dtype[np.generic]:
    kind = NUMPY_TYPES.get(tensor.type)
    if kind is None:
        raise UsageError(f"no inputs of type {tensor.type.name} can be made ({tensor.name})")
    return np.dtype(kind)


def failure_of(result: RunResult, report: FirmwareReport, arena_bytes: int) -> str | None:
    """What went wrong, None where the firmware ran to its end."""
    if result.fault is not None:
        return str(result.fault)
    if isinstance(report.failure, AllocationFailed):
        size = f"of {arena_bytes:,} bytes" if arena_bytes != ALL_FREE_RAM else "in all free RAM"
        return f"arena {size}: {describe_failure(report.failure)}"
    if report.failure is not None:
        words = describe_failure(report.failure)
        return f"{words}: {' / '.join(report.logs)}" if report.logs else words
    if result.stop is not StopReason.SYMBOL:
        return f"the firmware did not come to its end: {result.stop.value}"
    try:
        report.require_success()
    except EmulationError as error:
        return str(error)
    return None


def outputs_of(graph: Graph, report: FirmwareReport, run: int = 0) -> tuple[bytes, ...]:
    """The bytes of each output of a run.

    Raises:
        EmulationError: one did not arrive.
    """
    return tuple(report.runs[run].output_bytes(i) for i in range(len(graph.main.outputs)))


def _operators(
    arena: ArenaReport, report: FirmwareReport, cycles: CycleWatch
) -> tuple[OperatorRun, ...]:
    run = report.runs.get(0)
    if run is None:
        return ()
    macs = {
        (node.context.subgraph.index, node.context.op.index): node.row.count(node.context).macs
        for node in arena.prepared.nodes
    }
    return tuple(
        OperatorRun(
            item.subgraph,
            item.index,
            item.name,
            item.calls,
            item.cyccnt,
            macs.get((item.subgraph, item.index), 0) * item.calls,
            cycles.of_operator(item.subgraph, item.index),
        )
        for item in run.operators
    )
