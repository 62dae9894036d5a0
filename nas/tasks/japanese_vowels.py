"""Two Japanese vowels by nine speakers: who speaks? 12 coefficients by up to 29 frames.

The data come with aeon (270 series to train, 370 to test).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.tasks.dataset import Dataset, Floats, Task, optional

FRAMES = 28


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """Coefficients scaled to about [-1, 1], short series filled with zeros."""
    datasets = optional("aeon.datasets", "aeon")
    train, train_names = datasets.load_japanese_vowels(split="train")
    test, test_names = datasets.load_japanese_vowels(split="test")
    names = tuple(sorted(set(train_names)))
    train_x, test_x = _images(train), _images(test)
    scale = np.abs(train_x).max(axis=(0, 1), keepdims=True)
    return Dataset(
        train_x=train_x / scale,
        train_y=np.array([names.index(name) for name in train_names]),
        test_x=np.clip(test_x / scale, -1, 1),
        test_y=np.array([names.index(name) for name in test_names]),
        classes=names,
    )


def _images(series: Any) -> Floats:
    images = np.zeros((len(series), FRAMES, len(series[0]), 1), np.float32)
    for image, values in zip(images, series, strict=True):
        frames = np.asarray(values).T[:FRAMES]
        image[: len(frames), :, 0] = frames
    return images


TASK = Task(
    name="japanese-vowels",
    title="nine speakers of two vowels, 28 x 12 coefficients",
    load=load,
    is_offline=True,
    source="aeon (UCI Japanese Vowels)",
)
