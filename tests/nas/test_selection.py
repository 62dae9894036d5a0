"""The network that a search ends with."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.space.supernet import Supernet
from tests.nas.supernets import all_choices


def _channels(supernet: Supernet, decisions: Any) -> int:
    network = supernet.fixed(decisions)
    return sum(int(layer.channels or 0) for layer in network.layers)


def test_candidates_keep_the_budget_and_start_with_the_most_probable() -> None:
    from nas.training.discretize import fit_to_budget
    from nas.training.selection import candidates

    supernet = all_choices()
    logits = {name: np.zeros(len(node)) for name, node in supernet.nodes.items()}

    def excess(decisions: Any) -> float:
        return _channels(supernet, decisions) / 61 - 1

    found = candidates(logits, supernet, excess, 8, seed=1)
    assert len(found) > 1
    assert found[0] == fit_to_budget(logits, supernet, excess)
    assert all(-0.1 <= over <= 0 for _, over in found)
    networks = [supernet.fixed(decisions).layers for decisions, _ in found]
    assert len(set(networks)) == len(networks)
    assert candidates(logits, supernet, excess, 8, seed=1) == found


def test_without_a_network_that_fits_the_closest_is_left() -> None:
    from nas.training.selection import candidates

    supernet = all_choices()
    logits = {name: np.zeros(len(node)) for name, node in supernet.nodes.items()}
    (closest,) = candidates(logits, supernet, lambda d: float(_channels(supernet, d)), 4, seed=0)
    assert closest[1] > 0


def test_the_smallest_loss_wins_and_averages_stay() -> None:
    import tensorflow as tf

    from nas.cost.cost_model import one_hot
    from nas.training.distillation import cross_entropy
    from nas.training.model import SupernetModel
    from nas.training.selection import best

    supernet = all_choices()
    model = SupernetModel(supernet, seed=2)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(16, *supernet.input_shape)), tf.float32)
    y = tf.one_hot(rng.integers(5, size=16), 5)
    widest = supernet.widest()
    model.calibrate(x, {n: tf.constant(v) for n, v in one_hot(supernet, widest).items()})
    narrow = widest | {"stem_width": 0, "block1_width": 0, "block3_width": 0}
    before = [v.numpy().copy() for v in model.non_trainable_variables]
    losses = []
    for decisions in (widest, narrow):
        p = {name: tf.constant(v) for name, v in one_hot(supernet, decisions).items()}
        losses.append(float(cross_entropy(y, model(x, p, training=True))))
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        variable.assign(value)
    chosen, _ = best(model, [(widest, -0.1), (narrow, -0.2)], x, y)
    assert chosen == (widest, narrow)[int(np.argmin(losses))]
    after = [v.numpy().copy() for v in model.non_trainable_variables]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
