"""Constraints, schedules, quantisers, metrics and checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.cost.constraints import AugmentedLagrangian, Budget, penalty_term
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from nas.training.metrics import accuracy, area_under_curve
from nas.training.schedules import cosine, exponential
from predictor import Options, find_board
from predictor.errors import UsageError
from tests.nas.supernets import residual

LIMITS = {"ops": 100.0, "latency_s": None, "model_bytes": None, "arena_bytes": None}


def test_a_constraint_switches_off_and_on_again() -> None:
    lagrangian = AugmentedLagrangian(10.0)
    values = {"ops": 150.0, "latency_s": 0.0, "model_bytes": 0.0, "arena_bytes": 0.0}
    violations = lagrangian.violations(values, LIMITS)
    assert violations == {"ops": pytest.approx(0.5)}
    lagrangian.update(violations)
    assert lagrangian.multipliers["ops"] == pytest.approx(5.0)
    for _ in range(5):
        lagrangian.update({"ops": -0.5})
    assert lagrangian.multipliers["ops"] == 0.0
    assert float(penalty_term(-0.5, 0.0, 10.0)) == 0.0
    lagrangian.update({"ops": 0.1})
    assert lagrangian.multipliers["ops"] > 0
    assert float(penalty_term(0.1, lagrangian.multipliers["ops"], 10.0)) > 0


def test_a_constraint_that_is_just_met_is_finite() -> None:
    assert float(penalty_term(0.0, 0.0, 10.0)) == 0.0
    with pytest.raises(UsageError, match="positive"):
        AugmentedLagrangian(0.0)


def test_budgets_follow_the_board_and_the_tighter_limit() -> None:
    from nas.cost.cost_model import CostModel

    supernet, board = residual(), find_board("f446re")
    exact = CostModel(supernet, board).exact_of(supernet.widest())
    free = Budget(board)
    assert free.fits(exact)
    assert free.limits(exact)["ops"] is None
    assert free.excess(exact) < 0
    tight = Budget(board, max_arena_bytes=exact.arena_bytes - 1)
    assert not tight.fits(exact)
    assert tight.binding(exact).quantity == "arena_bytes"
    assert Budget(board, max_arena_bytes=exact.arena_bytes).fits(exact)
    assert Budget(board, max_flash_bytes=exact.flash_bytes).fits(exact)
    assert not Budget(board, max_flash_bytes=exact.flash_bytes - 16).fits(exact)
    seconds = exact.latency_s
    assert Budget(board, max_latency_s=seconds).fits(exact)
    assert not Budget(board, max_latency_s=seconds * 0.99).fits(exact)
    assert Budget(board, max_latency_s=seconds * 0.5).excess(exact) == pytest.approx(1.0)
    options = Options(reserve_ram_bytes=120_000)
    kept = CostModel(supernet, board, options).exact_of(supernet.widest())
    reserved = Budget(board, options)
    assert not reserved.fits(kept)
    assert reserved.excess(kept) > 0


def test_schedules_start_and_end_where_they_should() -> None:
    assert cosine(0, 10, 1.0, 0.1) == pytest.approx(1.0)
    assert cosine(9, 10, 1.0, 0.1) == pytest.approx(0.1)
    assert exponential(0, 10, 5.0, 0.5) == pytest.approx(5.0)
    assert exponential(9, 10, 5.0, 0.5) == pytest.approx(0.5)
    assert exponential(0, 1, 5.0, 0.5) == 0.5


def test_area_under_curve_counts_ties_half() -> None:
    broken = np.array([True, True, False, False])
    assert area_under_curve(np.array([4.0, 3.0, 2.0, 1.0]), broken) == 1.0
    assert area_under_curve(np.array([1.0, 2.0, 3.0, 4.0]), broken) == 0.0
    assert area_under_curve(np.zeros(4), broken) == 0.5
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 20, 300).astype(float), rng.random(300) < 0.3
    assert area_under_curve(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_accuracy_is_the_share_of_largest_logits() -> None:
    assert accuracy(np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([1, 1])) == 0.5


@pytest.mark.parametrize("bits", [8, 4])
def test_fake_quantised_weights_lie_on_their_grid(bits: int) -> None:
    import tensorflow as tf

    from nas.training.quantizers import initial_step, quantize_weights, weight_limit

    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 3, 4, 8)).astype(np.float32)
    step = initial_step(weights, bits, 3)
    variable = tf.Variable(step)
    with tf.GradientTape() as tape:
        quantized = quantize_weights(tf.constant(weights), variable, bits, 36)
        loss = tf.reduce_sum(tf.square(quantized - weights))
    grid = quantized.numpy() / step
    assert np.allclose(grid, np.round(grid), atol=1e-3)
    assert np.abs(grid).max() <= weight_limit(bits) + 1e-3
    assert np.isfinite(tape.gradient(loss, variable).numpy()).all()


def test_damaged_and_absent_checkpoints_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(UsageError, match="no checkpoint"):
        load_checkpoint(path)
    save_checkpoint(path, {"a/b": np.arange(3)}, {"epoch": 2})
    arrays, state = load_checkpoint(path)
    assert state == {"epoch": 2}
    assert arrays["a/b"].tolist() == [0, 1, 2]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UsageError, match="damaged"):
        load_checkpoint(path)
