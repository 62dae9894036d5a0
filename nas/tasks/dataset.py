"""What a task gives: arrays to train and test on, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.errors import MissingDependencyError, UsageError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Augment = Callable[[Floats, Integers, np.random.Generator], Floats]


@dataclass(frozen=True)
class Dataset:
    """Images (samples, height, width, channels) and class indices.

    ``test_anomalous`` is given where anomalies are to be found: whether the machine of a test
    sample is broken; its class is then the machine that it is said to be of. ``augment`` changes
    a batch of training images, given with the batch's indices in the training set.
    """

    train_x: Floats
    train_y: Integers
    test_x: Floats
    test_y: Integers
    classes: tuple[str, ...]
    test_anomalous: npt.NDArray[np.bool_] | None = None
    augment: Augment | None = None

    @property
    def input_shape(self) -> tuple[int, int, int]:
        _, height, width, channels = self.train_x.shape
        return (height, width, channels)


@dataclass(frozen=True)
class Task:
    """A data set by name.

    ``options`` are the keys of the recipe's ``data`` table, positive whole numbers, with their
    defaults; ``load`` takes the folder of the data, a seed and all of them.

    ``is_offline``: the data come with packages or are generated; no folder is needed.
    ``metric``: accuracy, or auc for anomaly detection.
    """

    name: str
    title: str
    load: Callable[[Path | None, int, Mapping[str, int]], Dataset]
    is_offline: bool
    source: str
    metric: str = "accuracy"
    options: Mapping[str, int] = field(default_factory=dict)

    def data(
        self, folder: Path | None, seed: int, options: Mapping[str, int] = MappingProxyType({})
    ) -> Dataset:
        """The data with these options; others have their defaults."""
        return self.load(folder, seed, {**self.options, **options})


def optional(module: str, package: str) -> ModuleType:
    """Imports a package that a task needs.

    Raises:
        MissingDependencyError: it is not installed; names the command.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"this task needs {package}: pip install {package}") from error


def data_folder(folder: Path | None, task: str, how: str) -> Path:
    """The folder that the user named.

    Raises:
        UsageError: none was named, or it does not exist; ``how`` says where to get the data.
    """
    if folder is None:
        raise UsageError(f"task {task} reads a public data set: give --data FOLDER. {how}")
    if not folder.is_dir():
        raise UsageError(f"--data {folder} is no folder. {how}")
    return folder


def shuffled(seed: int, *arrays: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Arrays in one random order."""
    order = np.random.default_rng(seed).permutation(len(arrays[0]))
    return tuple(array[order] for array in arrays)
