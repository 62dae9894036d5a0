"""What a search is held against: random networks and one width for all layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from nas.constraints import Budget
from nas.cost import CostModel
from nas.decision_nodes import Decisions, WidthChoice
from nas.discretize import fit_to_budget
from nas.metrics import accuracy, quality
from nas.model import SupernetModel
from nas.recipe import Training
from nas.tasks.dataset import Dataset
from nas.trainer import WeightTrainer, logits_of, run_epoch

HELD_OUT_SHARE = 0.25


def random_decisions(cost: CostModel, budget: Budget, seed: int) -> dict[str, int]:
    """Random decisions, made to fill the budget in the same way as a search's."""
    rng = np.random.default_rng(seed)
    nodes = cost.supernet.nodes
    logits = {name: rng.normal(size=len(node)) * 3.0 for name, node in nodes.items()}
    decisions, _ = fit_to_budget(logits, nodes, lambda d: budget.excess(cost.exact_of(d)))
    return decisions


def uniform_decisions(cost: CostModel, budget: Budget) -> Decisions:
    """The widest network that fits of those whose layers all take the same share of their width.

    All blocks run, with the first operators.
    """
    nodes = cost.supernet.nodes
    longest = max(len(node) for node in nodes.values())
    for level in reversed(range(longest)):
        share = level / max(longest - 1, 1)
        decisions = {
            name: round(share * (len(node) - 1)) if isinstance(node, WidthChoice) else 0
            for name, node in nodes.items()
        }
        if budget.fits(cost.exact_of(decisions)):
            return decisions
    return decisions


def train_network(
    cost: CostModel,
    decisions: Decisions,
    data: Dataset,
    training: Training,
    epochs: int,
    seed: int,
    hold_out: bool = False,
) -> tuple[float, float]:
    """Trains a network from scratch; returns accuracy on held-out training data and test quality.

    Without ``hold_out`` all training data are trained on, and the first figure is 0.
    """
    order = np.random.default_rng((seed, 1)).permutation(len(data.train_x))
    cut = int(len(order) * HELD_OUT_SHARE) if hold_out else 0
    held, used = order[:cut], order[cut:]
    model = SupernetModel(cost.supernet.fixed(decisions), seed)
    model.calibrate(tf.constant(data.train_x[used[:256]]))
    trainer = WeightTrainer(model, replace(training, distillation=0.0))
    for epoch in range(epochs):
        run_epoch(trainer, data, used, epoch, epochs, 5, seed, tf.distribute.get_strategy())
    score = accuracy(logits_of(model, data.train_x[held]), data.train_y[held]) if cut else 0.0
    return score, quality(logits_of(model, data.test_x), data)
