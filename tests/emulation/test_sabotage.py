"""Broken memory plans: shadow memory reports each that makes an operator read overwritten bytes.

What is right is found out twice, independently of shadow memory: by following every access of a
recorded run, and by the outputs of the broken model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.platform.roomy_board import with_more_ram
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import load_revision
from predictor.model.example_models import ds_cnn
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_runtime import HostRuntime, is_installed
from predictor.proof.model_run import random_inputs
from predictor.proof.plan_proof import Firmware, FirmwareModel, proof_inputs, recorded_uses
from predictor.proof.shadow_memory import (
    plan_offsets,
    stale_reads,
)
from predictor.proof.shadow_run import without_plan
from tests.emulation.sabotage import mutations, reads_of_overwritten_bytes, trace
from tests.shared_data import MODELS, needs_shared

REVISION = ("2020.07", "reference")
INPUTS = 3


pytestmark = [
    pytest.mark.usefixtures("emulation_tools"),
    pytest.mark.skipif(not is_installed("tflite_micro"), reason="pip install tflite-micro"),
]


@cache
def firmware() -> Firmware:
    board, platform = with_more_ram(find_board("f767zi"))
    return Firmware(build(firmware_target(board)), platform)


def report_of(content: bytes) -> ArenaReport:
    return arena(read_graph(content), load_revision(*REVISION))


@dataclass
class Tally:
    """What became of the mutations of a model."""

    mutations: int = 0
    harmful: int = 0
    reported: int = 0
    changed_outputs: int = 0


def sabotage(content: bytes, count: int, seed: int, follows_accesses: bool = True) -> Tally:
    """Holds shadow memory's reports of broken plans against both accounts of the truth."""
    content = without_plan(content)
    report = report_of(content)
    sample = random_inputs(report.prepared.graph, 0)
    uses = recorded_uses(FirmwareModel(content, report), firmware(), sample)
    accesses = trace(content, report, firmware()) if follows_accesses else None
    samples = proof_inputs(report.prepared.graph, INPUTS)
    tally = Tally()
    with HostRuntime("tflite_micro") as runtime:
        expected = [outputs(runtime, content, sample) for sample in samples]
        for mutation in mutations(report.prepared.graph, report, count, seed):
            offsets = plan_offsets(uses, report_of(mutation.content))
            reports = stale_reads(uses, offsets)
            found = {(None if item.node is None else item.node[1], item.tensor) for item in reports}
            is_changed = any(
                outputs(runtime, mutation.content, sample) != right
                for sample, right in zip(samples, expected, strict=True)
            )
            assert found or not is_changed, f"a silent change ({mutation.kind})"
            if accesses is not None:
                harm = reads_of_overwritten_bytes(accesses, report, offsets)
                assert found == {(op, uses.buffers[buffer].name) for op, buffer in harm}
                tally.harmful += bool(harm)
            tally.mutations += 1
            tally.reported += bool(found)
            tally.changed_outputs += is_changed
    return tally


def outputs(runtime: HostRuntime, content: bytes, sample: tuple[object, ...]) -> list[bytes]:
    result = runtime.run(content, sample)
    assert not result.error, result.error
    return [array.tobytes() for array in result.outputs]


def test_mutations_of_a_chain() -> None:
    tally = sabotage(ds_cnn(channels=8, blocks=2).build(), 24, seed=1)
    assert tally.reported == tally.harmful
    # The test has power only where there is harm, harm that shows, and none.
    assert 5 <= tally.changed_outputs <= tally.harmful < tally.mutations


@pytest.mark.parametrize("seed", [2, 5])
def test_mutations_of_branching_graphs(seed: int) -> None:
    content = random_graph(seed, mid_2020=True, max_operators=10).build()
    tally = sabotage(content, 12, seed)
    assert tally.reported == tally.harmful > 0


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted((MODELS / "planned").glob("*.tflite")), ids=lambda path: path.stem
)
def test_mutations_of_shared_models(path: Path) -> None:
    """50 of each of four models; following each access would take hours."""
    tally = sabotage(path.read_bytes(), 50, seed=7, follows_accesses=False)
    assert tally.changed_outputs > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_200_mutations(seed: int) -> None:
    content = random_graph(100 + seed, mid_2020=True, max_operators=14).build()
    tally = sabotage(content, 20, seed)
    assert tally.reported == tally.harmful
