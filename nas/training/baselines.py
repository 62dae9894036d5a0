"""What a search is held against: random networks and one width for all layers.

Each trains for as many epochs as a search does, on the same data with the same hyper-parameters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from nas.cost.constraints import Budget
from nas.cost.cost_model import CostModel
from nas.run.recipe import Training
from nas.space.decision_nodes import Decisions, WidthChoice
from nas.tasks.dataset import Dataset
from nas.training.discretize import fit_to_budget
from nas.training.metrics import accuracy, quality
from nas.training.model import SupernetModel
from nas.training.phases import Phase
from nas.training.trainer import WeightTrainer, logits_of, run_epoch, split_indices

CALIBRATION_BATCH = 256


def random_decisions(cost: CostModel, budget: Budget, seed: int) -> dict[str, int]:
    """Random decisions, made to fill the budget in the same way as a search's."""
    rng = np.random.default_rng(seed)
    nodes = cost.supernet.nodes
    logits = {name: rng.normal(size=len(node)) * 3.0 for name, node in nodes.items()}
    decisions, _ = fit_to_budget(logits, cost.supernet, lambda d: budget.excess(cost.exact_of(d)))
    return decisions


def uniform_decisions(cost: CostModel, budget: Budget) -> dict[str, int]:
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


def random_search(
    cost: CostModel,
    budget: Budget,
    data: Dataset,
    training: Training,
    seed: int,
    tried: int,
    epochs: int,
) -> tuple[Decisions, float]:
    """The best of ``tried`` random networks, finetuned; its decisions and test quality.

    Each is trained for ``epochs``; they are compared on the samples that a search's decisions
    learn from.
    """
    used, held = split_indices(len(data.train_x), training, seed)
    found: list[tuple[float, dict[str, int], WeightTrainer]] = []
    for number in range(tried):
        decisions = random_decisions(cost, budget, seed * 1000 + number)
        trainer = _trainer(cost, decisions, data, training, seed)
        _train(trainer, data, used, epochs, Phase.BASELINE_TRY, seed)
        score = accuracy(logits_of(trainer.model, data.train_x[held]), data.train_y[held])
        found.append((score, decisions, trainer))
    _, decisions, trainer = max(found, key=lambda item: item[0])
    trainer = _trainer(cost, decisions, data, training, seed, trainer.model)
    everything = np.arange(len(data.train_x))
    _train(trainer, data, everything, training.finetune_epochs, Phase.BASELINE, seed)
    return decisions, quality(logits_of(trainer.model, data.test_x), data)


def uniform_network(
    cost: CostModel, budget: Budget, data: Dataset, training: Training, seed: int
) -> tuple[Decisions, float]:
    """The uniform network, trained for all epochs of a search; decisions and test quality."""
    decisions = uniform_decisions(cost, budget)
    trainer = _trainer(cost, decisions, data, training, seed)
    epochs = training.warmup_epochs + training.search_epochs + training.finetune_epochs
    _train(trainer, data, np.arange(len(data.train_x)), epochs, Phase.BASELINE, seed)
    return decisions, quality(logits_of(trainer.model, data.test_x), data)


def _trainer(
    cost: CostModel,
    decisions: Decisions,
    data: Dataset,
    training: Training,
    seed: int,
    source: SupernetModel | None = None,
) -> WeightTrainer:
    """A trainer of a new network, or of one that goes on from another's weights."""
    model = SupernetModel(cost.supernet.fixed(decisions), seed)
    if source is not None:
        for mine, theirs in zip(model.variables, source.variables, strict=True):
            mine.assign(theirs.numpy())
    model.calibrate(tf.constant(data.train_x[:CALIBRATION_BATCH]))
    return WeightTrainer(model, replace(training, distillation=0.0))


def _train(
    trainer: WeightTrainer, data: Dataset, indices: Any, epochs: int, phase: Phase, seed: int
) -> None:
    strategy = tf.distribute.get_strategy()
    for epoch in range(epochs):
        run_epoch(trainer, data, indices, epoch, epochs, phase, seed, strategy)
