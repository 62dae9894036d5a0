"""Random networks, with branches, whose layers run in rows in emulated firmware."""

from __future__ import annotations

import pytest

from predictor.firmware.target import FirmwareTarget, firmware_target
from predictor.model.tflite_writer import write_model
from predictor.optimization.optimization import (
    Optimization,
    count_instructions,
    optimize_model,
)
from predictor.optimization.optimizer import OptimizeOptions
from predictor.proof.plan_proof import ProofSize
from predictor.proof.prove import ProofTask, prove
from tests.kernels.streams import TYPES, random_network

pytestmark = [pytest.mark.toolchain, pytest.mark.usefixtures("emulation_tools")]
BOARD, KERNELS, REVISION = "f446re", "mn", "2020.07"
SIZE = ProofSize(host=2, emulated=2, watched=1)
MODELS, MANY_MODELS = 8, 300


def _runs_in_rows(seed: int, target: FirmwareTarget) -> bool:
    """Whether a network has groups; they are never above the plan without, and all is as proved."""
    content = write_model(random_network(seed, TYPES[seed % len(TYPES)]))

    def optimized(most: float | None) -> Optimization:
        settings = OptimizeOptions(
            max_slowdown=most, time_limit_s=20, compact=False, instructions=count_instructions
        )
        return optimize_model(content, BOARD, settings, kernels=KERNELS, tflm=REVISION)

    plain, rows = optimized(0.0), optimized(None)
    assert rows.optimized.after.required_bytes <= plain.optimized.after.required_bytes, seed
    if not rows.groups:
        return False
    proof = prove(ProofTask(content, rows.content, target), lambda text: None, SIZE)
    failed = [check for check in proof.checks if check.passed is False]
    assert proof.passed, f"seed {seed}: {failed}"
    return True


@pytest.fixture(scope="module")
def target() -> FirmwareTarget:
    return firmware_target(BOARD, kernels=KERNELS)


def test_random_networks(target: FirmwareTarget) -> None:
    assert sum(_runs_in_rows(seed, target) for seed in range(MODELS)) >= MODELS // 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_random_networks(target: FirmwareTarget) -> None:
    found = sum(_runs_in_rows(seed, target) for seed in range(MODELS, MODELS + MANY_MODELS))
    assert found > MANY_MODELS // 3
