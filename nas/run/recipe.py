"""Recipes: backbone, data options and hyper-parameters of a search, as TOML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nas.space.backbones.reading import check_keys, flag, number, whole
from predictor import toml
from predictor.errors import UsageError

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
    data: dict[str, Any] = field(default_factory=dict)


_CHOICES = {"optimizer": ("adam", "sgd"), "architecture_updates": ("alternating", "joint")}
_AT_LEAST_ONE = ("batch", "candidates", "finetune_epochs")


def load_recipe(task: str, preset: str, path: Path | None = None) -> Recipe:
    """The shipped recipe of a task, or the one in a file.

    Raises:
        UsageError: not found, not TOML, or malformed; names the file and the key.
    """
    path = path or _FOLDER / f"{task.replace('-', '_')}.toml"
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    try:
        with path.open("rb") as file:
            table = toml.load(file)
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {path}: not valid TOML: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read recipe {path}: {error.strerror}") from error
    try:
        return parse_recipe(table, task, preset)
    except UsageError as error:
        raise UsageError(f"recipe {path}: {error}") from None


def parse_recipe(table: dict[str, Any], task: str, preset: str) -> Recipe:
    """A recipe from its table, with the preset's values over the others.

    Raises:
        UsageError: an unknown key or a value out of range.
    """
    check_keys(table, (*_TABLES, "presets"), "the recipe")
    presets = _table(table, "presets", "the recipe")
    check_keys(presets, PRESETS, "presets")
    if preset not in presets:
        raise UsageError(f"it has no preset {preset!r}; it has: {', '.join(presets) or 'none'}")
    over = _table(presets, preset, "presets")
    check_keys(over, _TABLES, f"presets.{preset}")
    merged = {
        name: _table(table, name, "the recipe") | _table(over, name, f"presets.{preset}")
        for name in _TABLES
    }
    return Recipe(
        task=task,
        preset=preset,
        backbone=merged["backbone"],
        training=_training(merged["training"]),
        data=merged["data"],
    )


def _table(table: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{key} of {where} must be a table, not {value!r}")
    return value


def _training(table: dict[str, Any]) -> Training:
    known = {item.name: item.default for item in fields(Training)}
    check_keys(table, tuple(known), "training")
    values: dict[str, Any] = {}
    for name, default in known.items():
        if isinstance(default, bool):
            values[name] = flag(table, name, default, "training")
        elif isinstance(default, int):
            values[name] = whole(table, name, default, "training", int(name in _AT_LEAST_ONE))
        elif isinstance(default, float):
            values[name] = number(table, name, default, "training")
        else:
            values[name] = table.get(name, default)
            if values[name] not in _CHOICES[name]:
                raise UsageError(
                    f"training.{name} is {values[name]!r}; known: {', '.join(_CHOICES[name])}"
                )
    for name in ("initial_temperature", "final_temperature", "distillation_temperature"):
        if values[name] <= 0:
            raise UsageError(f"training.{name} must be positive")
    if values["distillation"] > 1:
        raise UsageError("training.distillation is a share of the loss, at most 1")
    return Training(**values)
