"""Generated machines, healthy and broken: harmonics, load changes, impulses of worn bearings.

Networks learn to tell healthy machines apart; a broken one looks less like itself (the paper's
self-supervision by machine identity, section 5.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.tasks.audio import log_mel, standardized
from nas.tasks.dataset import Dataset, Floats, Task

MACHINES = 4
_RATE = 8000
_TRAIN, _HEALTHY, _BROKEN = 80, 20, 20
"""Clips of each machine: healthy ones to train on, healthy and broken ones to test."""
_FRAME, _STRIDE, _BANDS = 512, 256, 32
_FRAMES = 32
_SEED = 7


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """32 frames of 32 log-mel bands; the sounds are the same for all seeds."""
    rng = np.random.default_rng(_SEED)
    train = [(_sound(m, False, rng), m, False) for m in range(MACHINES) for _ in range(_TRAIN)]
    test = [
        (_sound(m, broken, rng), m, broken)
        for m in range(MACHINES)
        for broken, count in ((False, _HEALTHY), (True, _BROKEN))
        for _ in range(count)
    ]
    train_x, test_x = standardized(_images(train), _images(test))
    return Dataset(
        train_x,
        np.array([machine for _, machine, _ in train]),
        test_x,
        np.array([machine for _, machine, _ in test]),
        tuple(f"machine {m}" for m in range(MACHINES)),
        test_anomalous=np.array([broken for *_, broken in test]),
    )


def _images(clips: list[tuple[Floats, int, bool]]) -> Floats:
    return np.stack([log_mel(c[0], _RATE, _FRAME, _STRIDE, _BANDS) for c in clips])[..., None]


def _sound(machine: int, broken: bool, rng: np.random.Generator) -> Floats:
    """One clip; machines differ in speed, harmonics and noise by a little."""
    samples = _FRAME + _STRIDE * (_FRAMES - 1)
    time = np.arange(samples) / _RATE
    speed = (55.0 + 6.0 * machine) * rng.uniform(0.97, 1.03)
    load = 1.0 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.5, 2.0) * time + rng.uniform(0, 6))
    sound = 0.05 * (1 + 0.3 * machine) * rng.normal(size=samples)
    for harmonic in range(1, 9):
        level = np.exp(-0.3 * harmonic) * (1.0 + 0.5 * np.cos(harmonic * (machine + 1.0)))
        phase = rng.uniform(0, 6)
        sound += load * level * np.sin(2 * np.pi * speed * harmonic * time + phase)
    if broken:
        sound += _impulses(time, speed * rng.uniform(3.0, 3.6), rng)
    return (sound * rng.uniform(0.7, 1.0) / 4.0).astype(np.float32)


def _impulses(time: Any, rate: float, rng: np.random.Generator) -> Any:
    """A worn bearing: a ringing at each pass of the fault (rate in Hz)."""
    since = np.mod(time + rng.uniform(0, 1), 1.0 / rate)
    tone = np.sin(2 * np.pi * rng.uniform(1800, 2600) * since)
    return rng.uniform(0.3, 0.9) * np.exp(-since * 600.0) * tone


TASK = Task(
    name="machine-sounds",
    title="anomalies of four generated machines, 32 x 32 log-mel",
    load=load,
    is_offline=True,
    source="generated",
    metric="auc",
)
