"""Where firmware and TFLM's host runtime part: the outputs of each operator.

What an operator left in the arena lies where the prediction says. An emulated machine stops before
each operator that the runner calls and is read; a board sends it. The host keeps all tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from predictor.boards.board import Board
from predictor.emulation.backends import make_machine
from predictor.emulation.machine import Machine, StopReason
from predictor.emulation.operator_calls import OPERATOR_SYMBOL
from predictor.firmware.build import FirmwareImage
from predictor.firmware.flash_blob import LayerPlace
from predictor.memory.arena_report import ArenaReport
from predictor.model.device.device_model import is_device_model
from predictor.model.graph import Operator
from predictor.model.tflite_writer import write_model
from predictor.optimization.offline_plan import without_plan
from predictor.proof.host_check import Array, HostCheck, compare
from predictor.proof.host_child import LAYERS
from predictor.proof.host_runtime import HostRuntime, is_installed
from predictor.proof.model_run import RunOptions, flash_blob
from predictor.records import dataclass

_ARENA_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class LayerCheck:
    """``compared`` operators were held against the host. The first that differs is described by
    ``words``; empty where none does. ``reason`` says why nothing was compared."""

    compared: int
    words: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """An output of an operator that lies in the arena: the ``position``-th of all outputs."""

    operator: Operator
    position: int
    name: str
    place: LayerPlace


def layers_in_arena(arena: ArenaReport) -> tuple[Layer, ...]:
    """The outputs of operators of the main subgraph, in order of these."""
    places = {b.tensor.index: b for b in arena.buffers if b.tensor is not None}
    outputs = (
        (operator, index)
        for operator in arena.prepared.graph.main.operators
        for index in operator.outputs
    )
    return tuple(
        Layer(
            operator,
            position,
            places[index].name,
            LayerPlace(operator.index, places[index].offset, arena.content_bytes(places[index])),
        )
        for position, (operator, index) in enumerate(outputs)
        if index in places
    )


def host_layers(
    content: bytes, arena: ArenaReport, inputs: Sequence[Array]
) -> tuple[tuple[Array, ...], str]:
    """What TFLM's runtime on this machine computes for each output of each operator; none, and
    why, where it does not."""
    graph = arena.prepared.graph
    if is_device_model(graph):
        return (), "the host has no operators of device models"
    if len(graph.subgraphs) > 1:
        return (), "the model has control flow: its operators do not run in order"
    if not is_installed(LAYERS):
        return (), "pip install tflite-micro to compare with TFLM on this host"
    plain = without_plan(graph)
    with HostRuntime(LAYERS) as runtime:
        answer = runtime.run(content if plain is graph else write_model(plain), tuple(inputs))
    if answer.error:
        return (), f"the host runtime failed: {answer.error}"
    return answer.outputs, ""


def compare_layers(
    arena: ArenaReport, contents: Mapping[int, bytes], expected: Sequence[Array]
) -> LayerCheck:
    """Holds what operators left in the arena against the host.

    Args:
        contents: by position in :func:`layers_in_arena`. expected: all outputs of all operators.
    """
    for number, layer in enumerate(layers_in_arena(arena)):
        check, words = compare([expected[layer.position]], [contents.get(number, b"")])
        if check is HostCheck.DIFFERENT:
            where = f"operator {layer.operator.index} ({layer.operator.label})"
            words = f"{where}, {layer.name}: {words.split(': ', 1)[1]}"
            return LayerCheck(layer.operator.index, words)
    return LayerCheck(len(arena.prepared.graph.main.operators))


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
    expected, reason = host_layers(content, arena, inputs)
    if reason:
        return LayerCheck(0, reason=reason)
    _, machine = make_machine(options.backend, board)
    with machine:
        machine.load_elf(image.elf)
        blob = flash_blob(content, graph, [tuple(inputs)], arena.required_bytes)
        machine.load_binary(blob, image.blob_address)
        heads = list(_heads(machine, arena, options))
    operators = len(graph.main.operators)
    if len(heads) <= operators:
        return LayerCheck(0, reason="the firmware did not run all operators")
    after = heads[len(heads) - operators :]  # before them, the runner measures its own hooks
    return compare_layers(arena, _contents(arena, after), expected)


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


def _contents(arena: ArenaReport, after: Sequence[bytes]) -> dict[int, bytes]:
    """Of each layer, from what the arena held after each operator."""
    return {
        number: after[index][offset : offset + size_bytes]
        for number, (index, offset, size_bytes) in enumerate(
            layer.place for layer in layers_in_arena(arena)
        )
    }
