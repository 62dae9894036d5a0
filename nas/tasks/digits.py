"""Handwritten digits of 8 x 8 pixels that come with scikit-learn (1,797 images, 10 classes)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nas.tasks.dataset import Dataset, Task, optional, shuffled

_TEST_SHARE = 0.25
_SPLIT_SEED = 0
"""The split is the same whatever the search's seed is, so that runs can be compared."""


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """Pixels in [-1, 1]."""
    datasets = optional("sklearn.datasets", "scikit-learn")
    digits = datasets.load_digits()
    x = (digits.images / 8.0 - 1.0).astype(np.float32)[..., None]
    x, y = shuffled(_SPLIT_SEED, x, digits.target.astype(np.int64))
    tests = int(len(x) * _TEST_SHARE)
    return Dataset(
        train_x=x[tests:],
        train_y=y[tests:],
        test_x=x[:tests],
        test_y=y[:tests],
        classes=tuple(str(name) for name in digits.target_names),
    )


TASK = Task(
    name="digits",
    title="handwritten digits, 8 x 8 pixels",
    load=load,
    is_offline=True,
    source="scikit-learn (UCI ML hand-written digits)",
)
