"""Proofs of memory plans: true plans pass, broken ones fail for the right reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.firmware.target import firmware_target
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn
from predictor.optimization.optimization import optimize_model
from predictor.proof.plan_proof import PlanProof, ProofSize
from predictor.proof.prove import ProofTask, prove

SIZE = ProofSize(host=6, emulated=5, watched=2)


pytestmark = pytest.mark.usefixtures("emulation_tools")


def small_model() -> ModelBuilder:
    return ds_cnn(channels=16, blocks=2)


def proved(original: bytes, planned: bytes, kernels: str = "reference") -> PlanProof:
    task = ProofTask(original, planned, firmware_target("f446re", kernels=kernels))
    return prove(task, lambda text: None, SIZE)


def optimized(content: bytes, kernels: str = "reference") -> bytes:
    return optimize_model(content, "f446re", tflm="2020.07", kernels=kernels).content


def test_an_optimised_model_passes_all_checks() -> None:
    content = small_model().build()
    proof = proved(content, optimized(content))
    assert proof.passed
    assert [check.passed for check in proof.checks] == [True] * 5
    assert [check.inputs for check in proof.checks] == [6, 5, 1, 2, 2]


def test_with_the_projects_kernels_the_host_runs_the_original() -> None:
    content = small_model().build()
    proof = proved(content, optimized(content, "mn"), "mn")
    assert proof.passed
    host, *others = proof.checks
    assert (host.passed, host.inputs) == (True, SIZE.emulated)
    assert host.finding == "of the original; in firmware equal to the bit"
    assert all(check.passed for check in others)


def test_a_model_that_fits_only_with_its_plan() -> None:
    """The model without a plan runs on the same board with more RAM."""
    builder = ModelBuilder("wide")
    x = builder.input((1, 40, 40, 4), "int8")
    x = builder.conv_2d(x, 40, kernel=1)
    x = builder.depthwise_conv_2d(x, kernel=3)
    builder.output(builder.average_pool_2d(x))
    content = builder.build()
    proof = proved(content, optimized(content))
    assert proof.passed
    assert all(check.passed for check in proof.checks)


def broken() -> tuple[bytes, bytes]:
    """A chain of two convolutions whose second output lies on its input."""

    def build(distance: int | None) -> bytes:
        builder = ModelBuilder("broken", seed=3)
        x = builder.input((1, 8, 8, 8), "int8")
        y = builder.conv_2d(x, 8, kernel=3)
        z = builder.conv_2d(y, 8, kernel=3)
        builder.output(z)
        if distance is not None:
            builder.offline_plan({x: 0, y: 512, z: 512 - distance})
        return builder.build()

    return build(None), build(32)


def test_a_broken_plan_is_found_and_named() -> None:
    """The host runs the original alone: the rules of its kernels do not allow this plan."""
    proof = proved(*broken())
    assert not proof.passed
    by_name = {check.name: check for check in proof.checks}
    assert by_name["host runtime"].passed is False
    assert by_name["emulated f446re"].passed is False
    assert by_name["shadow memory"].passed is False
    (stale,) = proof.stale
    assert stale.node == (0, 1)
    assert stale.step == "operator 1 (CONV_2D)"
    assert stale.tensor_offset == 0


def test_the_command_proves_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("predictor.proof.prove.ProofSize", lambda: SIZE)
    model, output = tmp_path / "model.tflite", tmp_path / "planned.tflite"
    model.write_bytes(small_model().build())
    arguments = ["optimize", str(model), "-o", str(output), "--prove", "--format", "json"]
    arguments += ["--board", "f446re", "--kernels", "reference", "--tflm", "2020.07"]
    assert run(arguments) == 0
    proof = json.loads(capsys.readouterr().out)["proof"]
    assert proof["passed"]
    assert proof["stale_reads"] == []
    assert len(proof["checks"]) == 5
