"""The supernets of the paper (section 5.2) in full: they build, have a cost, and learn a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.run.recipe import load_recipe
from nas.space.decision_nodes import SkipChoice, WidthChoice
from nas.space.supernet import Supernet
from tests.nas.supernets import PAPER, paper


def _widths(supernet: Supernet) -> list[WidthChoice]:
    return [node for node in supernet.nodes.values() if isinstance(node, WidthChoice)]


@pytest.mark.parametrize("task", ["kws", "anomaly"])
def test_ds_cnn_has_four_more_blocks_of_276_channels(task: str) -> None:
    supernet = paper(task)
    assert [node.options for node in _widths(supernet)] == [tuple(range(4, 280, 4))] * 10
    skips = [node for node in supernet.nodes.values() if isinstance(node, SkipChoice)]
    assert len(skips) == 9
    height, width = supernet.sizes()["block9"]
    # The last two blocks of anomaly detection halve the image to 4 x 4.
    assert (height, width) == ((4, 4) if task == "anomaly" else (25, 5))


def test_mobilenet_v2_has_widths_in_tenths() -> None:
    supernet = paper("vww")
    assert len(_widths(supernet)) == 25
    assert max(node.options[-1] for node in _widths(supernet)) == 1280
    expand = next(node for node in _widths(supernet) if node.name == "ibn7_1_expand_width")
    assert expand.options == tuple(range(96, 961, 96))


@pytest.mark.parametrize("task", PAPER)
def test_full_width_cost(task: str) -> None:
    from nas.cost.cost_model import predicted

    supernet = paper(task)
    prediction = predicted(supernet.fixed(supernet.widest()), "f767zi")
    weights = sum(
        tensor.elements
        for tensor in prediction.graph.main.tensors
        if tensor.name.endswith("/filter")
    )
    # MobileNetV2 without its 1,000 classes has 2.2 M weights; DS-CNN 9 x 276^2 and a little.
    assert weights == pytest.approx(2.2e6 if task == "vww" else 0.72e6, rel=0.03)
    assert weights < prediction.flash.model_bytes < 1.2 * weights
    assert prediction.ops.total_ops > 2 * weights


@pytest.mark.slow
@pytest.mark.parametrize("task", PAPER)
def test_one_step_of_weights_and_decisions(task: str) -> None:
    import tensorflow as tf

    from nas.cost.constraints import Budget
    from nas.cost.cost_model import CostModel
    from nas.training.model import SupernetModel
    from nas.training.phases import Phase
    from nas.training.trainer import SearchTrainer, step_seed
    from predictor import find_board

    shape, classes = PAPER[task]
    supernet, board = paper(task), find_board("f446re")
    model = SupernetModel(supernet)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(4, *shape)), tf.float32)
    y = tf.one_hot(np.arange(4) % classes, classes)
    uniform = {name: tf.fill([len(n)], 1 / len(n)) for name, n in supernet.nodes.items()}
    model.calibrate(x, uniform)
    training = load_recipe(task, "paper").training
    trainer = SearchTrainer(model, training, CostModel(supernet, board), Budget(board))
    before = trainer.logit_values()
    arguments: tuple[Any, ...] = (tf.constant(5.0), step_seed(0, Phase.SEARCH, 0, 0))
    assert np.isfinite(trainer.step(x, y, *arguments))
    assert np.isfinite(trainer.decide(x, y, *arguments, *trainer.constraint_inputs())).all()
    after = trainer.logit_values()
    assert all(np.isfinite(after[name]).all() for name in after)
    assert any((after[name] != before[name]).any() for name in after)
