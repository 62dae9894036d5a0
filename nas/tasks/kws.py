"""Google Speech Commands v2: ten keywords, silence and unknown words (Warden, 2018).

Features as in Zhang et al. (2017): 40 ms frames every 20 ms, 40 mel bands, 10 coefficients. The
archive's own lists split the speakers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nas.backbones.reading import check_keys, whole
from nas.tasks.audio import mfcc, of_length, read_wave, standardized
from nas.tasks.dataset import Dataset, Floats, Task, data_folder
from predictor.errors import UsageError

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = ("silence", "unknown", *KEYWORDS)
NOISE_FOLDER = "_background_noise_"
RATE = 16_000
_MFCC = (640, 320, 40, 10)
_LISTS = ("validation_list.txt", "testing_list.txt")
_SHARE = 0.1
"""Silence and unknown words are each a tenth of the clips, as in the data set's own tools."""
_HOW = (
    "Get speech_commands_v0.02.tar.gz (http://download.tensorflow.org/data/"
    "speech_commands_v0.02.tar.gz), unpack it, and give the folder with testing_list.txt."
)


def load(folder: Path | None, seed: int, options: dict[str, Any]) -> Dataset:
    """49 frames of 10 MFCCs. ``max_clips`` of the recipe's data table limits each split.

    Raises:
        UsageError: the folder is not the unpacked archive.
    """
    check_keys(options, ("max_clips",), "data")
    most = whole(options, "max_clips", 1_000_000, "data")
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
    train_x, train_y = _features(root, train, noises, rng, most, augment=True)
    test_x, test_y = _features(root, test, noises, rng, most, augment=False)
    train_x, test_x = standardized(train_x, test_x)
    return Dataset(train_x, train_y, test_x, test_y, CLASSES, augment=_shifted)


def _listed(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text().split())
    except OSError:
        raise UsageError(f"{path} is missing. {_HOW}") from None


def _features(
    root: Path,
    clips: list[str],
    noises: list[Floats],
    rng: np.random.Generator,
    most: int,
    augment: bool,
) -> tuple[Floats, Any]:
    """Features of keywords, of a share of the other words, and of silence."""
    words = [clip for clip in clips if clip.split("/")[0] in KEYWORDS]
    others = [clip for clip in clips if clip.split("/")[0] not in KEYWORDS]
    rng.shuffle(words)
    rng.shuffle(others)
    words = words[:most]
    extra = max(1, round(len(words) * _SHARE))
    chosen = [*words, *others[:extra]]
    x, y = [], []
    for clip in chosen:
        sound = of_length(read_wave(root / clip, RATE), RATE)
        if augment and rng.random() < 0.8:
            sound = sound + rng.uniform(0, 0.1) * _cut(noises, rng)
        x.append(mfcc(sound, RATE, *_MFCC))
        word = clip.split("/")[0]
        y.append(CLASSES.index(word) if word in KEYWORDS else CLASSES.index("unknown"))
    for _ in range(extra):
        x.append(mfcc(rng.uniform(0, 0.2) * _cut(noises, rng), RATE, *_MFCC))
        y.append(CLASSES.index("silence"))
    return np.stack(x)[..., None], np.array(y)


def _cut(noises: list[Floats], rng: np.random.Generator) -> Floats:
    noise = noises[rng.integers(len(noises))]
    start = int(rng.integers(max(1, len(noise) - RATE)))
    return of_length(noise[start:], RATE)


def _shifted(x: Floats, rng: np.random.Generator) -> Floats:
    """Shifts each clip by up to 100 ms, five frames."""
    shifts = rng.integers(-5, 6, len(x))
    return np.stack([np.roll(image, s, axis=0) for image, s in zip(x, shifts, strict=True)])


TASK = Task(
    name="kws",
    title="keyword spotting, 12 classes, 49 x 10 MFCCs",
    load=load,
    is_offline=False,
    source="Google Speech Commands v2",
)
