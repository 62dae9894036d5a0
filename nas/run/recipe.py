"""Recipes: backbone, data options and hyper-parameters of a search, as TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nas.tasks import find_task
from nas.tasks.dataset import Task
from predictor import toml
from predictor.errors import UsageError
from predictor.toml import Table

PRESETS = ("smoke", "small", "paper")
_FOLDER = Path(__file__).parent / "recipes"
_TABLES = ("backbone", "data", "training")


@dataclass(frozen=True)
class Training:
    """Hyper-parameters. Learning rates fall along a cosine over each phase.

    ``architecture_updates``: "alternating" takes turns on two parts of the training data,
    "joint" updates weights and decisions from the same batch. ``penalty`` is the weight of
    squared violations in the augmented Lagrangian. ``candidates`` is from how many networks the
    search's last step chooses; with 1 it takes the most probable one. ``distillation`` is the
    share of the loss that the widest network's softened answers have in finetuning.
    ``mixed_precision`` convolves in bfloat16, which accelerators do faster.
    """

    batch: int = 64
    optimizer: str = "adam"
    warmup_epochs: int = 2
    search_epochs: int = 10
    finetune_epochs: int = 20
    learning_rate: float = 0.01
    final_learning_rate: float = 1e-5
    weight_decay: float = 0.0
    architecture_learning_rate: float = 0.05
    architecture_updates: str = "alternating"
    initial_temperature: float = 5.0
    final_temperature: float = 0.5
    penalty: float = 10.0
    candidates: int = 12
    mixup: float = 0.0
    distillation: float = 0.0
    distillation_temperature: float = 4.0
    teacher_epochs: int = 0
    mixed_precision: bool = False


@dataclass(frozen=True)
class Recipe:
    """One task's recipe with a preset applied."""

    task: str
    preset: str
    backbone: dict[str, Any]
    training: Training
    data: dict[str, int] = field(default_factory=dict)


_CHOICES = {"optimizer": ("adam", "sgd"), "architecture_updates": ("alternating", "joint")}
_AT_LEAST_ONE = ("batch", "candidates", "finetune_epochs")
_MOST_COUNT, _MOST_FIGURE = 1_000_000, 1e6
_LIMITS = {
    "initial_temperature": (1e-3, _MOST_FIGURE),
    "final_temperature": (1e-3, _MOST_FIGURE),
    "distillation_temperature": (1e-3, _MOST_FIGURE),
    "distillation": (0.0, 1.0),
}
"""Of figures that are not just zero or more: temperatures divide, distillation is a share."""


def load_recipe(task: str, preset: str, path: Path | None = None) -> Recipe:
    """The shipped recipe of a task, or the one in a file.

    Raises:
        UsageError: not found, not TOML, or malformed; names the file and the key.
    """
    path = path or _FOLDER / f"{task.replace('-', '_')}.toml"
    return toml.read_file(path, lambda table: _recipe(table, task, preset))


def parse_recipe(values: Mapping[str, Any], task: str, preset: str) -> Recipe:
    """A recipe from its table, with the preset's values over the others.

    Raises:
        UsageError: an unknown key or a value out of range.
    """
    return toml.parse(values, "the recipe", lambda table: _recipe(table, task, preset))


def _recipe(table: Table, task: str, preset: str) -> Recipe:
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    common = _tables(table)
    presets = table.optional("presets", table.read, _presets) or {}
    over = presets.get(preset)
    if over is None:
        known = ", ".join(name for name in presets if presets[name] is not None)
        table.fail(f"it has no preset {preset!r}; it has: {known or 'none'}")

    def merged(table: Table) -> Recipe:
        return Recipe(
            task=task,
            preset=preset,
            backbone=table.mapping("backbone"),
            training=table.read("training", _training),
            data=table.read("data", lambda data: _data(data, find_task(task))),
        )

    return toml.parse({name: common[name] | over[name] for name in _TABLES}, table.source, merged)


def _tables(table: Table) -> dict[str, dict[str, Any]]:
    return {name: table.mapping(name) for name in _TABLES}


def _presets(table: Table) -> dict[str, dict[str, dict[str, Any]] | None]:
    return {name: table.optional(name, table.read, _tables) for name in PRESETS}


def _data(table: Table, task: Task) -> dict[str, int]:
    return {
        name: table.whole(name, 1, _MOST_COUNT, default) for name, default in task.options.items()
    }


def _training(table: Table) -> Training:
    values: dict[str, Any] = {}
    for name, default in {item.name: item.default for item in fields(Training)}.items():
        if isinstance(default, bool):
            values[name] = table.flag(name, default)
        elif isinstance(default, int):
            values[name] = table.whole(name, int(name in _AT_LEAST_ONE), _MOST_COUNT, default)
        elif isinstance(default, float):
            values[name] = table.number(name, *_LIMITS.get(name, (0.0, _MOST_FIGURE)), default)
        else:
            values[name] = table.choice(name, _CHOICES[name], str(default))
    return Training(**values)
