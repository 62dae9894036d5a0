"""Decision nodes, supernets, recipes and the choice of a network that fits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.run.recipe import PRESETS, load_recipe, parse_recipe
from nas.space.backbones import build_supernet
from nas.space.decision_nodes import (
    BitwidthChoice,
    OpChoice,
    SkipChoice,
    WidthChoice,
    width_options,
)
from nas.space.network import network_graph
from nas.space.supernet import CONV, INPUT, SELECT, Supernet, SupernetBuilder
from nas.tasks import TASKS
from nas.training.discretize import argmax, fit_to_budget
from predictor import predict_graph
from predictor.errors import UsageError
from tests.nas.supernets import OPTIONS, SUPERNETS, all_choices

RECIPES = sorted((Path(__file__).parents[2] / "nas" / "run" / "recipes").glob("*.toml"))


def test_width_options_are_distinct_multiples_of_four() -> None:
    assert width_options(32, (0.1, 0.2, 0.5, 1.0)) == (4, 8, 16, 32)
    assert width_options(8, tuple(k / 10 for k in range(1, 11))) == (4, 8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: WidthChoice("w", ()),
        lambda: WidthChoice("w", (4, 6)),
        lambda: WidthChoice("w", (8, 4)),
        lambda: OpChoice("o", ("3x3",)),
        lambda: BitwidthChoice("b", (8, 2)),
    ],
)
def test_malformed_decision_nodes_are_errors(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("name", SUPERNETS)
def test_every_network_of_a_supernet_is_one_that_tflm_accepts(name: str) -> None:
    supernet, rng = SUPERNETS[name](), random.Random(0)
    for _ in range(20):
        decisions = {n: rng.randrange(len(node)) for n, node in supernet.nodes.items()}
        network = supernet.fixed(decisions)
        assert all(layer.kind != SELECT for layer in network.layers)
        prediction = predict_graph(network_graph(network), options=OPTIONS.get(name))
        assert prediction.arena.required_bytes > 0
        assert len(prediction.layers) == len(network.layers)


def test_skipping_all_blocks_leaves_stem_pool_and_head() -> None:
    supernet = all_choices()
    decisions = supernet.widest()
    skips = [n for n, node in supernet.nodes.items() if isinstance(node, SkipChoice)]
    decisions |= dict.fromkeys(skips, 1)
    names = [layer.name for layer in supernet.fixed(decisions).layers]
    assert names == ["stem", "block2_pool", "mean", "dense", "softmax"]


def test_open_decisions_are_errors() -> None:
    supernet = all_choices()
    with pytest.raises(UsageError, match="missing"):
        supernet.fixed({})
    with pytest.raises(UsageError, match="not decided"):
        network_graph(supernet)


def test_the_builder_refuses_what_has_no_cost() -> None:
    builder = SupernetBuilder("x", (8, 8, 1))
    with pytest.raises(UsageError, match="no known cost"):
        builder.layer("strange", "fourier", INPUT)
    with pytest.raises(UsageError, match="unknown decision node"):
        builder.layer("conv", CONV, INPUT, channels="width")
    with pytest.raises(UsageError, match="no such tensor"):
        builder.layer("conv", CONV, "nothing", channels=4)
    node = builder.node(SkipChoice("skip"))
    wide = builder.layer("wide", CONV, INPUT, channels=8)
    with pytest.raises(UsageError, match="branches"):
        builder.select("join", node, wide, INPUT)


def _excess(limit: int) -> Any:
    def excess(decisions: Any) -> float:
        return sum(4 * (option + 1) for option in decisions.values()) / limit - 1

    return excess


def _two_widths() -> Supernet:
    builder, x = SupernetBuilder("x", (8, 8, 1)), INPUT
    for name in "ab":
        node = builder.node(WidthChoice(name, (4, 8, 12)))
        x = builder.layer(f"conv_{name}", CONV, x, channels=node)
    return builder.supernet()


def test_a_network_that_is_too_large_is_shrunk_where_it_costs_least_probability() -> None:
    logits = {"a": np.array([0.0, 1.0, 9.0]), "b": np.array([0.9, 1.0, 1.1])}
    assert argmax(logits) == {"a": 2, "b": 2}
    decisions, over = fit_to_budget(logits, _two_widths(), _excess(16))
    assert decisions == {"a": 2, "b": 0}
    assert over == 0


def test_a_network_that_leaves_room_grows() -> None:
    logits = {"a": np.array([9.0, 1.0, 0.0]), "b": np.array([0.9, 0.8, 0.7])}
    decisions, _ = fit_to_budget(logits, _two_widths(), _excess(16))
    assert decisions == {"a": 0, "b": 2}


def test_a_budget_that_nothing_keeps_gives_the_closest_network() -> None:
    logits = {name: np.array([0.0, 1.0, 0.0]) for name in "ab"}
    decisions, over = fit_to_budget(logits, _two_widths(), _excess(4))
    assert decisions == {"a": 0, "b": 0}
    assert over == pytest.approx(1.0)


def test_widths_of_skipped_blocks_do_not_matter() -> None:
    supernet = all_choices()
    decisions = supernet.widest() | {"block1_skip": 1}
    assert set(supernet.nodes) - supernet.active_nodes(decisions) == {
        "block1_width",
        "block1_bits",
    }
    assert supernet.active_nodes(supernet.widest()) == set(supernet.nodes)
    logits = {name: np.zeros(len(node)) for name, node in supernet.nodes.items()}
    logits["block1_skip"] = np.array([0.0, 50.0])
    start = argmax(logits)
    chosen, _ = fit_to_budget(logits, supernet, lambda d: -0.05 if d["block1_skip"] else 1.0)
    assert chosen["block1_skip"] == 1
    assert chosen["block1_width"] == start["block1_width"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("preset", PRESETS)
def test_shipped_recipes_parse_and_build(path: Path, preset: str) -> None:
    recipe = load_recipe(path.stem.replace("_", "-"), preset)
    assert recipe.task in TASKS
    supernet = build_supernet(recipe.backbone, (49, 40, 1), 3)
    assert supernet.nodes


def _recipe(**tables: Any) -> dict[str, Any]:
    return {"backbone": {"name": "ds_cnn"}, "presets": {"smoke": {}}, **tables}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (_recipe(wrong={}), "unknown key 'wrong'"),
        (_recipe(presets={}), "no preset 'smoke'"),
        (_recipe(presets={"fast": {}}), "unknown key 'fast'"),
        (_recipe(presets=3), "must be a table"),
        (_recipe(training={"batch": 0}), "training.batch"),
        (_recipe(training={"batch": "many"}), "training.batch"),
        (_recipe(training={"batch": True}), "training.batch"),
        (_recipe(training={"epochs": 3}), "unknown key 'epochs'"),
        (_recipe(training={"learning_rate": -1.0}), "training.learning_rate"),
        (_recipe(training={"learning_rate": float("nan")}), "training.learning_rate"),
        (_recipe(training={"optimizer": "magic"}), "training.optimizer"),
        (_recipe(training={"final_temperature": 0.0}), "final_temperature"),
        (_recipe(training={"distillation": 2.0}), "distillation"),
        (_recipe(training={"mixed_precision": 1}), "training.mixed_precision"),
        (_recipe(training={"candidates": 0}), "training.candidates"),
        (_recipe(training={"batch": 10**7}), "training.batch must be a whole number from 1 to"),
        (_recipe(training=[1]), "training must be a table"),
        (_recipe(data={"clips": 3}), "data: unknown key 'clips': known: none"),
        (_recipe(presets={"smoke": {"training": 3}}), "presets.smoke.training must be a table"),
    ],
)
def test_malformed_recipes_give_one_clear_error(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_recipe(table, "digits", "smoke")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "backbone.name is missing"),
        ({"name": "vgg"}, "backbone.name must be one of ds_cnn, mobilenet_v2, not 'vgg'"),
        ({"name": "ds_cnn", "depth": 3}, "unknown key 'depth'"),
        ({"name": "ds_cnn", "channels": 2}, "backbone.channels"),
        ({"name": "ds_cnn", "width_step": 3}, "multiples of 4"),
        ({"name": "ds_cnn", "kernels": []}, "backbone.kernels"),
        ({"name": "ds_cnn", "kernels": 3}, "backbone.kernels"),
        ({"name": "ds_cnn", "stem_kernel": [3]}, "backbone.stem_kernel"),
        ({"name": "ds_cnn", "strided_blocks": [9]}, "strided_blocks"),
        ({"name": "ds_cnn", "skip": 1}, "backbone.skip"),
        ({"name": "ds_cnn", "weight_bits": [2]}, "8 or 4"),
        ({"name": "ds_cnn", "activation_bits": [16]}, "from 1 to 8"),
        ({"name": "ds_cnn", "activation_bits": [2]}, "8 or 4"),
        ({"name": "ds_cnn", "channels": 10**9}, "backbone.channels"),
        ({"name": "ds_cnn", "kernels": [3] * 100}, "must have 1 to 64 entries, not 100"),
        ({"name": ["ds_cnn"]}, "backbone.name must be one of"),
        ({"name": "ds_cnn", "activation_bits": "few"}, "backbone.activation_bits"),
        ({"name": "ds_cnn", "width_step": 4, "width_fractions": [1.0]}, "both"),
        ({"name": "mobilenet_v2", "stages": 8}, "stages"),
        ({"name": "mobilenet_v2", "width_fractions": [0.0]}, "width_fractions"),
    ],
)
def test_malformed_backbones_give_one_clear_error(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_supernet(table, (16, 16, 1), 2)


def test_recipe_files_that_cannot_be_read_give_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_recipe("digits", "smoke", tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("backbone = [")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_recipe("digits", "smoke", bad)
    with pytest.raises(UsageError, match="unknown preset"):
        load_recipe("digits", "quick")
