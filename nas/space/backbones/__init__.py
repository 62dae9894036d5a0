"""Backbones: functions that build a supernet from a recipe's table."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nas.space.supernet import Supernet
from predictor import toml
from predictor.toml import Table

BACKBONES = ("ds_cnn", "mobilenet_v2")


def build_supernet(
    table: dict[str, Any], input_shape: tuple[int, int, int], classes: int
) -> Supernet:
    """The supernet that a recipe's ``backbone`` table describes.

    Raises:
        UsageError: unknown backbone, unknown key or a value that makes no network.
    """

    def build(table: Table) -> Supernet:
        name = table.choice("name", BACKBONES)
        module = import_module(f"nas.space.backbones.{name}")
        supernet: Supernet = module.build(table, input_shape, classes)
        return supernet

    return toml.parse(
        {"backbone": table}, "the recipe", lambda recipe: recipe.read("backbone", build)
    )
