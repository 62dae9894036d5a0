"""The network that a search ends with: the best of some that its distribution gives.

As in FBNet (Wu et al., 2019, section 3.3) networks are drawn from the distribution that training
has found; each is brought into the budget, and the one with the smallest loss under the supernet's
own weights, on the samples that the decisions were trained on, is taken. The most probable network
is always among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from nas.cost.cost_model import one_hot
from nas.space.supernet import Supernet
from nas.training.discretize import TIGHT, Excess, Logits, fit_to_budget
from nas.training.distillation import cross_entropy
from nas.training.model import SupernetModel

Candidate = tuple[dict[str, int], float]
"""Decisions and their excess over the budget."""


def candidates(
    logits: Logits, supernet: Supernet, excess: Excess, count: int, seed: int
) -> list[Candidate]:
    """The most probable network and others that were drawn, each brought into the budget.

    Where none fits, only the closest; where some fill the budget, only these.
    """
    rng = np.random.default_rng((seed, 4))
    found = [fit_to_budget(logits, supernet, excess)]
    for _ in range(count - 1):
        drawn = {name: values + rng.gumbel(size=len(values)) for name, values in logits.items()}
        found.append(fit_to_budget(drawn, supernet, excess))
    fitting = [item for item in found if item[1] <= 0]
    if not fitting:
        return [min(found, key=lambda item: item[1])]
    full = [item for item in fitting if item[1] >= TIGHT]
    distinct = {supernet.fixed(item[0]).layers: item for item in reversed(full or fitting)}
    return list(reversed(distinct.values()))


def best(model: SupernetModel, found: list[Candidate], x: Any, y: Any) -> Candidate:
    """The candidate with the smallest loss under the supernet's weights.

    Batch normalisation takes the batch's own statistics, as the averages are those of mixtures.
    """
    if len(found) == 1:
        return found[0]
    averages = [(v, v.numpy().copy()) for v in model.non_trainable_variables]

    loss = tf.function(lambda p: cross_entropy(y, model(x, p, training=True)), autograph=False)
    losses = []
    for decisions, _ in found:
        p = one_hot(model.supernet, decisions)
        losses.append(float(loss({name: tf.constant(v) for name, v in p.items()})))
    for variable, value in averages:
        variable.assign(value)
    return found[int(np.argmin(losses))]
