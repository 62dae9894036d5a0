"""The rules of overlap against what kernels in firmware read and write."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from predictor.boards.board import find_board
from predictor.emulation.platform.roomy_board import with_more_ram
from predictor.emulation.unicorn.byte_uses import FIRST_WRITE, LAST_READ, UNUSED, Uses
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.model.builder import ModelBuilder
from predictor.model.random_graphs import random_graph
from predictor.optimization.overlap import distance_of
from predictor.prediction import Prediction
from predictor.proof.model_run import random_inputs
from predictor.proof.plan_proof import Firmware, FirmwareModel, recorded_uses
from predictor.proof.shadow_memory import TENSOR, ModelUses, stale_reads

BOARD = "f746zg"


pytestmark = pytest.mark.usefixtures("emulation_tools")


@cache
def firmware(kernels: str, registers_builtin: bool) -> Firmware:
    board, platform = with_more_ram(find_board(BOARD))
    target = firmware_target(board, kernels=kernels)
    image = build(replace(target, registers_builtin=registers_builtin))
    return Firmware(image, platform)


def recorded(content: bytes, kernels: str) -> tuple[Prediction, ModelUses]:
    """A prediction of a model, and what one inference uses."""
    predicted = firmware_target(BOARD, kernels=kernels).linking_all(content).prediction
    model = FirmwareModel(predicted.deployed.content or b"", predicted.arena)
    built = firmware(kernels, predicted.registers_builtin)
    sample = random_inputs(predicted.deployed.graph, 0)
    return predicted, recorded_uses(model, built, sample)


def traced_distance(input: Uses, output: Uses) -> int:
    """The smallest safe distance: no byte may be written before the last read of what it covers."""
    written = np.flatnonzero(output[:, FIRST_WRITE] != UNUSED)
    read = np.flatnonzero(input[:, LAST_READ] != UNUSED)
    in_time = written[np.argsort(output[written, FIRST_WRITE], kind="stable")]
    highest = np.maximum.accumulate(in_time)
    before = np.searchsorted(output[in_time, FIRST_WRITE], input[read, LAST_READ])
    overwritten = highest[before[before > 0] - 1] - read[before > 0]
    return int(overwritten.max(initial=-1)) + 1


def pairs(predicted: Prediction, uses: ModelUses) -> Iterator[tuple[str, int, int]]:
    """(operator, distance of the rule, traced distance) for all pairs that a rule lets overlap."""
    index = {buffer.key: number for number, buffer in enumerate(uses.buffers)}
    steps = {step.node: step for step in uses.steps if step.node is not None}
    for node in predicted.arena.prepared.nodes:
        op, distance = node.context.op, distance_of(node)
        step = steps[(0, op.index)]
        used = {use.buffer: use.uses[: uses.buffers[use.buffer].size_bytes] for use in step.buffers}
        for overlap in distance.overlaps:
            tensor = op.inputs[overlap.position]
            upper = index.get((0, TENSOR, tensor))
            lower = index.get((0, TENSOR, op.outputs[0]))
            if None in (upper, lower) or overlap.only_equal or op.inputs.count(tensor) > 1:
                continue
            traced = min(traced_distance(used[upper], used[lower]), distance.output_bytes)
            yield step.label, distance.bounded(overlap), traced


def check(content: bytes, kernels: str) -> int:
    """Returns how many pairs were held against their rule."""
    predicted, uses = recorded(content, kernels)
    assert not stale_reads(uses, [buffer.offset for buffer in uses.buffers])
    found = list(pairs(predicted, uses))
    for label, rule, traced in found:
        assert traced <= rule, f"{label}: rule {rule}, traced {traced}"
    return len(found)


def single_operator(seed: int) -> bytes:
    """A convolution or pooling with any filter, stride and padding."""
    rng = random.Random(seed)
    builder = ModelBuilder(f"single_{seed}", seed=seed)
    height, width = rng.randint(3, 12), rng.randint(3, 12)
    x = builder.input((1, height, width, rng.choice((1, 2, 3, 4, 5, 8, 12, 16, 32))), "int8")
    settings = {
        "kernel": (rng.randint(1, min(5, height)), rng.randint(1, min(5, width))),
        "stride": rng.choice((1, 1, 2, 3)),
        "padding": rng.choice(("same", "valid")),
    }
    kind = rng.choice(("conv", "conv", "depthwise", "average", "max"))
    if kind == "conv":
        y = builder.conv_2d(x, rng.choice((1, 2, 3, 4, 5, 8, 12, 24, 33)), **settings)
    elif kind == "depthwise":
        y = builder.depthwise_conv_2d(x, multiplier=rng.choice((1, 1, 2, 3, 4)), **settings)
    elif kind == "average":
        y = builder.average_pool_2d(x, **settings)
    else:
        y = builder.max_pool_2d(x, **settings)
    builder.output(y)
    return builder.build()


@pytest.mark.parametrize("kernels", ["reference", "mn"])
@pytest.mark.parametrize("seed", range(3))
def test_rules_are_safe_in_random_graphs(seed: int, kernels: str) -> None:
    content = random_graph(300 + seed, mid_2020=True, max_operators=15).build()
    assert check(content, kernels) > 3


@pytest.mark.parametrize("kernels", ["reference", "mn"])
def test_rules_of_convolution_and_pooling(kernels: str) -> None:
    assert sum(check(single_operator(seed), kernels) for seed in range(12)) > 8


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["reference", "mn"])
def test_rules_of_many_configurations(kernels: str) -> None:
    assert sum(check(single_operator(seed), kernels) for seed in range(100, 250)) > 120
