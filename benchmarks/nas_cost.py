"""Costs of the paper's supernets, and what costing takes: ``python -m benchmarks.nas_cost``.

Times are of the processor, as other programs may run beside; ``--steps`` adds training steps.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from nas.cost.cost_model import CostModel
from nas.run.recipe import load_recipe
from nas.space.backbones import build_supernet

NETWORKS = 1000
BATCH = 32


class Case(NamedTuple):
    """A recipe, and what its data look like."""

    task: str
    preset: str
    input_shape: tuple[int, int, int]
    classes: int


CASES = (
    Case("kws", "paper", (49, 10, 1), 12),
    Case("anomaly", "paper", (32, 32, 1), 4),
    Case("vww", "paper", (50, 50, 1), 2),
    Case("vww", "paper", (160, 160, 1), 2),
    Case("spoken-words", "smoke", (49, 10, 1), 10),
    Case("digits", "small", (8, 8, 1), 10),
)


def cost_model(case: Case) -> CostModel:
    recipe = load_recipe(case.task, case.preset)
    supernet = build_supernet(recipe.backbone, case.input_shape, case.classes)
    return CostModel(supernet, "f746zg")


def networks(cost: CostModel) -> int:
    found = 1
    for node in cost.supernet.nodes.values():
        found *= len(node)
    return found


def costing_seconds(cost: CostModel) -> float:
    """Processor seconds for the exact cost of ``NETWORKS`` random networks."""
    rng = random.Random(0)
    nodes = cost.supernet.nodes
    chosen = [
        {name: rng.randrange(len(node)) for name, node in nodes.items()} for _ in range(NETWORKS)
    ]
    start = time.process_time()
    for decisions in chosen:
        exact = cost.exact_of(decisions)
        assert min(exact.arena_bytes, exact.model_bytes, exact.ops) > 0
    return time.process_time() - start


def step_seconds(case: Case, cost: CostModel) -> tuple[float, float]:
    """Processor seconds of the costs of a decision step with their gradients, and of its rest.

    The least of several runs, as other programs only add.
    """
    import numpy as np
    import tensorflow as tf

    from nas.space import gumbel
    from nas.training.distillation import cross_entropy
    from nas.training.model import SupernetModel

    model = SupernetModel(cost.supernet)
    logits = {name: tf.Variable(tf.zeros(len(n))) for name, n in cost.supernet.nodes.items()}
    x = tf.constant(np.random.default_rng(0).normal(size=(BATCH, *case.input_shape)), tf.float32)
    y = tf.one_hot(np.arange(BATCH) % case.classes, case.classes)

    def costs() -> Any:
        with tf.GradientTape() as tape:
            found = cost.expected(gumbel.probabilities(logits))
            total = tf.add_n(list(found.values()))
        return tape.gradient(total, list(logits.values()))

    def rest() -> Any:
        with tf.GradientTape() as tape:
            p = gumbel.sample(logits, 1.0, tf.constant([1, 2]))
            loss = cross_entropy(y, model(x, p, training=True))
        return tape.gradient(loss, list(logits.values()))

    return _least_seconds(tf.function(costs), 30), _least_seconds(tf.function(rest), 5)


def _least_seconds(run: Callable[[], Any], times: int) -> float:
    run()
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", action="store_true")
    arguments = parser.parse_args()
    print("| supernet | nodes | networks | widest: ops | model | arena | 1,000 costed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        cost = cost_model(case)
        widest = cost.exact_of(cost.supernet.widest())
        size = "x".join(map(str, case.input_shape))
        print(
            f"| {case.task} {case.preset}, {size} | {len(cost.supernet.nodes)} "
            f"| {networks(cost):.1e} | {widest.ops:,} | {widest.model_bytes:,} B "
            f"| {widest.arena_bytes:,} B | {costing_seconds(cost):.2f} s |",
            flush=True,
        )
        if arguments.steps and case.input_shape[0] < 160:
            costs, rest = step_seconds(case, cost)
            print(f"    a step of {BATCH}: {rest:.3f} s, its costs {costs / rest:.1%}", flush=True)


if __name__ == "__main__":
    main()
