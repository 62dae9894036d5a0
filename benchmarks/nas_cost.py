"""Costs of the paper's supernets, and what costing takes: ``python -m benchmarks.nas_cost``.

Times are of the processor, as other programs may run beside; ``--steps`` adds training steps.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any, NamedTuple

from nas.backbones import build_supernet
from nas.cost import CostModel
from nas.recipe import load_recipe

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
    """Processor seconds of a training step of the decisions, with and without their cost."""
    import numpy as np
    import tensorflow as tf

    from nas import gumbel
    from nas.distillation import cross_entropy
    from nas.model import SupernetModel

    model = SupernetModel(cost.supernet)
    logits = {name: tf.Variable(tf.zeros(len(n))) for name, n in cost.supernet.nodes.items()}
    x = tf.constant(np.random.default_rng(0).normal(size=(BATCH, *case.input_shape)), tf.float32)
    y = tf.one_hot(np.arange(BATCH) % case.classes, case.classes)
    times = []
    for with_cost in (True, False):

        def step(with_cost: bool = with_cost) -> Any:
            with tf.GradientTape() as tape:
                p = gumbel.sample(logits, 1.0, tf.constant([1, 2]))
                loss = cross_entropy(y, model(x, p, training=True))
                if with_cost:
                    costs = cost.expected(gumbel.probabilities(logits))
                    loss += 1e-9 * tf.add_n(list(costs.values()))
            return tape.gradient(loss, list(logits.values()))

        run = tf.function(step)
        run()
        start = time.process_time()
        for _ in range(5):
            run()
        times.append((time.process_time() - start) / 5)
    return times[0], times[1]


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
            with_cost, without = step_seconds(case, cost)
            share = with_cost / without - 1
            print(f"    a step of {BATCH}: {without:.3f} s, with costs {share:+.1%}", flush=True)


if __name__ == "__main__":
    main()
