"""Faces against other pictures of 25 x 25 pixels that come with scikit-image (200 images).

A stand-in for visual wake words: is a person there or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nas.tasks.dataset import Dataset, Floats, Integers, Task, optional, shuffled

_FACES = 100
_TEST_SHARE = 0.4
_SPLIT_SEED = 0


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """Pixels in [-1, 1]; training images are mirrored and shifted."""
    images = optional("skimage.data", "scikit-image").lfw_subset()
    x = (images * 2.0 - 1.0).astype(np.float32)[..., None]
    y = (np.arange(len(x)) < _FACES).astype(np.int64)
    x, y = shuffled(_SPLIT_SEED, x, y)
    tests = int(len(x) * _TEST_SHARE)
    return Dataset(
        train_x=x[tests:],
        train_y=y[tests:],
        test_x=x[:tests],
        test_y=y[:tests],
        classes=("other", "face"),
        augment=mirrored_and_shifted,
    )


def mirrored_and_shifted(x: Floats, _: Integers, rng: np.random.Generator) -> Floats:
    """Mirrors half of the images and shifts each by up to 2 pixels."""
    mirrored = np.where(rng.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)
    down, right = rng.integers(-2, 3, 2)
    return np.ascontiguousarray(np.roll(mirrored, (down, right), (1, 2)))


TASK = Task(
    name="faces",
    title="face or not, 25 x 25 pixels",
    load=load,
    is_offline=True,
    source="scikit-image (subset of Labeled Faces in the Wild)",
)
