"""Where emulated firmware and TFLM's host runtime part: the outputs of each operator.

The machine stops before each operator that the runner calls; what the one before it left in the
arena lies where the prediction says. The host keeps all tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from predictor.boards.board import Board
from predictor.emulation.backends import make_machine
from predictor.emulation.machine import Machine, StopReason
from predictor.emulation.operator_calls import OPERATOR_SYMBOL
from predictor.firmware.build import FirmwareImage
from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.model.device.device_model import is_device_model
from predictor.model.tflite_writer import write_model
from predictor.optimization.offline_plan import without_plan
from predictor.proof.host_check import Array, HostCheck, compare
from predictor.proof.host_runtime import LAYERS, HostRuntime, is_installed
from predictor.proof.model_run import RunOptions, flash_blob

_ARENA_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class LayerCheck:
    """``compared`` operators were held against the host. The first that differs is described by
    ``words``; empty where none does. ``reason`` says why nothing was compared."""

    compared: int
    words: str = ""
    reason: str = ""


def check_layers(
    content: bytes,
    arena: ArenaReport,
    image: FirmwareImage,
    board: Board,
    inputs: Sequence[Array],
    options: RunOptions,
) -> LayerCheck:
    """Compares every operator's outputs in one emulated inference with those of the host.

    Raises:
        UsageError: inputs that the model does not take; an unknown backend.
        EmulationError: the emulator failed.
    """
    graph = arena.prepared.graph
    if is_device_model(graph):
        return LayerCheck(0, reason="the host has no operators of device models")
    if len(graph.subgraphs) > 1:
        return LayerCheck(0, reason="the model has control flow: its operators do not run in order")
    if not is_installed(LAYERS):
        return LayerCheck(0, reason="pip install tflite-micro to compare with TFLM on this host")
    plain = without_plan(graph)
    with HostRuntime(LAYERS) as runtime:
        answer = runtime.run(content if plain is graph else write_model(plain), tuple(inputs))
    if answer.error:
        return LayerCheck(0, reason=f"the host runtime failed: {answer.error}")
    _, machine = make_machine(options.backend, board)
    with machine:
        machine.load_elf(image.elf)
        blob = flash_blob(content, graph, [tuple(inputs)], arena.required_bytes)
        machine.load_binary(blob, image.blob_address)
        heads = list(_heads(machine, arena, options))
    return _compared(arena, heads, answer.outputs)


def _heads(machine: Machine, arena: ArenaReport, options: RunOptions) -> Iterator[bytes]:
    """What the planned part of the arena holds before each operator, and at the end."""
    size_bytes = arena.required_bytes
    while True:
        result = machine.run(
            until_symbol=OPERATOR_SYMBOL,
            max_instructions=options.max_instructions,
            timeout_s=options.timeout_s,
        )
        start = (machine.symbol("__ram_end") - size_bytes) & -_ARENA_ALIGNMENT
        yield machine.read_memory(start, arena.nonpersistent_bytes)
        if result.stop is not StopReason.SYMBOL:
            return


def _compared(arena: ArenaReport, heads: Sequence[bytes], expected: Sequence[Array]) -> LayerCheck:
    operators = arena.prepared.graph.main.operators
    # Before them, the runner measures its own hooks.
    after = heads[len(heads) - len(operators) :] if len(heads) > len(operators) else ()
    if not after:
        return LayerCheck(0, reason="the firmware did not run all operators")
    places = {b.tensor.index: b for b in arena.buffers if b.tensor is not None}
    host, compared = iter(expected), 0
    for operator, head in zip(operators, after, strict=True):
        for index in operator.outputs:
            array, place = next(host), places.get(index)
            if place is None:
                continue
            check, words = compare([array], [_content(arena, place, head)])
            if check is HostCheck.DIFFERENT:
                where = f"operator {operator.index} ({operator.label})"
                return LayerCheck(compared, f"{where}, {place.name}: {words.split(': ', 1)[1]}")
        compared += 1
    return LayerCheck(compared)


def _content(arena: ArenaReport, place: PlannedBuffer, head: bytes) -> bytes:
    return head[place.offset : place.offset + arena.content_bytes(place)]
