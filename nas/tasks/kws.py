"""Google Speech Commands v2: ten keywords, silence and unknown words (Warden, 2018).

Features as in Zhang et al. (2017): 40 ms frames every 20 ms, 40 mel bands, 10 coefficients. The
archive's own lists split the speakers. Training clips are shifted and mixed with background noise
before the features are taken, anew in each epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.tasks.audio import mfcc, of_length, read_wave, scaled, statistics
from nas.tasks.dataset import Dataset, Floats, Integers, Task, data_folder
from predictor.errors import UsageError

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = ("silence", "unknown", *KEYWORDS)
NOISE_FOLDER = "_background_noise_"
RATE = 16_000
_INT16 = 32768
_MFCC = (640, 320, 40, 10)
_LISTS = ("validation_list.txt", "testing_list.txt")
_SHARE = 0.1
"""Silence and unknown words are each a tenth of the clips, as in the data set's own tools."""
_NOISE_SHARE, _NOISE_LEVEL = 0.8, 0.1
_SHIFT = RATE // 10
"""Clips move by up to 100 ms; this, and the share and level of noise, are those of the data set's
own tools."""
_HOW = (
    "Get speech_commands_v0.02.tar.gz (http://download.tensorflow.org/data/"
    "speech_commands_v0.02.tar.gz), unpack it, and give the folder with testing_list.txt."
)


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """49 frames of 10 MFCCs. ``max_clips`` of the recipe's data table limits each split.

    Raises:
        UsageError: the folder is not the unpacked archive.
    """
    most = options["max_clips"]
    root = data_folder(folder, "kws", _HOW)
    lists = [_listed(root / name) for name in _LISTS]
    clips = sorted(
        path.relative_to(root).as_posix()
        for path in root.glob("*/*.wav")
        if path.parent.name != NOISE_FOLDER
    )
    train = [clip for clip in clips if clip not in lists[0] and clip not in lists[1]]
    test = [clip for clip in clips if clip in lists[1]]
    if not train or not test:
        raise UsageError(f"{root} has no training or no test clips. {_HOW}")
    noises = [read_wave(path, RATE) for path in sorted((root / NOISE_FOLDER).glob("*.wav"))]
    if not noises:
        raise UsageError(f"{root} has no {NOISE_FOLDER}. {_HOW}")
    rng = np.random.default_rng(0)
    train_sounds, train_y = _sounds(root, train, rng, most)
    test_sounds, test_y = _sounds(root, test, rng, most)
    test_sounds = _with_silence(test_sounds, test_y, noises, rng)
    train_x, test_x = _features(train_sounds), _features(test_sounds)
    mean, deviation = statistics(train_x)
    augment = _Augmentation(train_sounds, train_y, noises, mean, deviation)
    return Dataset(
        scaled(train_x, mean, deviation),
        train_y,
        scaled(test_x, mean, deviation),
        test_y,
        CLASSES,
        augment=augment,
    )


def _listed(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text().split())
    except OSError:
        raise UsageError(f"{path} is missing. {_HOW}") from None


def _sounds(
    root: Path, clips: list[str], rng: np.random.Generator, most: int
) -> tuple[npt.NDArray[np.int16], Integers]:
    """Samples and classes of keywords, of a share of the other words, and of silence (zeros)."""
    words = [clip for clip in clips if clip.split("/")[0] in KEYWORDS]
    others = [clip for clip in clips if clip.split("/")[0] not in KEYWORDS]
    rng.shuffle(words)
    rng.shuffle(others)
    words = words[:most]
    extra = max(1, round(len(words) * _SHARE))
    chosen = [*words, *others[:extra]]
    sounds = np.zeros((len(chosen) + extra, RATE), np.int16)
    labels = np.full(len(sounds), CLASSES.index("silence"))
    for row, clip in enumerate(chosen):
        sounds[row] = np.round(of_length(read_wave(root / clip, RATE), RATE) * _INT16)
        word = clip.split("/")[0]
        labels[row] = CLASSES.index(word if word in KEYWORDS else "unknown")
    return sounds, labels


def _features(sounds: npt.NDArray[Any]) -> Floats:
    return np.stack([mfcc(sound / np.float32(_INT16), RATE, *_MFCC) for sound in sounds])[..., None]


def _with_silence(
    sounds: npt.NDArray[Any], labels: Integers, noises: list[Floats], rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Sounds in which silence is background noise of any level."""
    filled = sounds.copy()
    for row in np.flatnonzero(labels == CLASSES.index("silence")):
        filled[row] = rng.uniform(0, 1) * _cut(noises, rng) * _INT16
    return filled


def _cut(noises: list[Floats], rng: np.random.Generator) -> Floats:
    noise = noises[rng.integers(len(noises))]
    start = int(rng.integers(max(1, len(noise) - RATE)))
    return of_length(noise[start:], RATE)


@dataclass(frozen=True)
class _Augmentation:
    """Shifts clips in time and adds noise, anew each time; gives the features of what results."""

    sounds: npt.NDArray[np.int16]
    labels: Integers
    noises: list[Floats]
    mean: Floats
    deviation: Floats

    def __call__(self, x: Floats, indices: Integers, rng: np.random.Generator) -> Floats:
        shifts = rng.integers(-_SHIFT, _SHIFT + 1, len(indices))
        pairs = zip(self.sounds[indices], shifts, strict=True)
        sounds = np.stack([_shifted(sound, int(shift)) for sound, shift in pairs])
        sounds = _with_silence(sounds.astype(np.float32), self.labels[indices], self.noises, rng)
        for row in np.flatnonzero(rng.random(len(indices)) < _NOISE_SHARE):
            level = rng.uniform(0, _NOISE_LEVEL)
            sounds[row] += level * _cut(self.noises, rng) * _INT16
        return scaled(_features(sounds), self.mean, self.deviation)


def _shifted(sound: npt.NDArray[np.int16], by: int) -> npt.NDArray[np.int16]:
    """The clip later (earlier where ``by`` is negative), with silence where it was not."""
    moved = np.zeros_like(sound)
    if by >= 0:
        moved[by:] = sound[: len(sound) - by]
    else:
        moved[:by] = sound[-by:]
    return moved


TASK = Task(
    name="kws",
    title="keyword spotting, 12 classes, 49 x 10 MFCCs",
    load=load,
    options=MappingProxyType({"max_clips": 1_000_000}),
    is_offline=False,
    source="Google Speech Commands v2",
)
