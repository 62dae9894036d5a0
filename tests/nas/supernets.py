"""Supernets that tests share."""

from __future__ import annotations

from nas.run.recipe import load_recipe
from nas.space.backbones import build_supernet
from nas.space.supernet import Supernet
from predictor import Options


def all_choices() -> Supernet:
    """Every kind of decision, with a shortcut that pools."""
    table = {
        "name": "ds_cnn",
        "channels": 24,
        "blocks": 3,
        "width_step": 8,
        "kernels": [3, 5],
        "strided_blocks": [2],
        "weight_bits": [8, 4],
    }
    return build_supernet(table, (16, 12, 1), 5)


def residual() -> Supernet:
    """Inverted bottlenecks that are added to their input."""
    table = {
        "name": "mobilenet_v2",
        "width": 0.35,
        "stages": 3,
        "head_channels": 64,
        "width_fractions": [0.4, 0.7, 1.0],
    }
    return build_supernet(table, (24, 24, 1), 2)


def four_bits() -> Supernet:
    """Weights and activations of 8 or 4 bits, which need the project's own kernels."""
    table = {
        "name": "ds_cnn",
        "channels": 16,
        "blocks": 2,
        "width_step": 8,
        "strided_blocks": [1],
        "weight_bits": [8, 4],
        "activation_bits": [8, 4],
    }
    return build_supernet(table, (12, 12, 1), 4)


PAPER = {"kws": ((49, 10, 1), 12), "anomaly": ((32, 32, 1), 4), "vww": ((50, 50, 1), 2)}
"""Input shape and classes of the paper's tasks."""


def paper(task: str) -> Supernet:
    """The paper's supernet for a task (section 5.2)."""
    shape, classes = PAPER[task]
    return build_supernet(load_recipe(task, "paper").backbone, shape, classes)


SUPERNETS = {"all_choices": all_choices, "residual": residual, "four_bits": four_bits}
OPTIONS = {"four_bits": Options(kernels="mn")}
"""What the predictions of a supernet's networks assume beside the defaults."""

RECIPE = """
[backbone]
name = "ds_cnn"
channels = 16
blocks = 2
stem_stride = [1, 1]
strided_blocks = [1]
width_step = 4
weight_bits = {bits}

[training]
batch = 128
warmup_epochs = 1
search_epochs = 2
finetune_epochs = 6
architecture_learning_rate = 0.2

[presets.smoke]
"""
"""A small search; ``{bits}`` are those of weights on offer."""
