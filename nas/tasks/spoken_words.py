"""Ten words by the voices of the synthesiser espeak-ng; other voices speak the test words."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import wave
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas.tasks.audio import mfcc, of_length, standardized
from nas.tasks.dataset import Dataset, Floats, Integers, Task
from predictor.errors import MissingDependencyError

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp")
TRAIN_VOICES = tuple(
    accent + variant for accent in _ACCENTS for variant in ("", "+m1", "+m3", "+m5", "+f2", "+f4")
)
TEST_VOICES = tuple(accent + variant for accent in _ACCENTS for variant in ("+m2", "+f1"))
_PITCHES = (30, 50, 70)
_SPEEDS = (130, 180)
_RATE = 22_050
"""espeak-ng's sample rate, Hz."""
_FRAME, _STRIDE, _BANDS, _COEFFICIENTS = 882, 441, 20, 10
_NOISE = 0.01


class _Clip(NamedTuple):
    word: str
    voice: str
    pitch: int
    speed: int


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """49 frames of 10 MFCCs from one second of sound.

    Raises:
        MissingDependencyError: espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingDependencyError("this task needs espeak-ng: apt-get install espeak-ng")
    train_x, train_y = _spoken(program, TRAIN_VOICES)
    test_x, test_y = _spoken(program, TEST_VOICES)
    train_x, test_x = standardized(train_x, test_x)
    return Dataset(train_x, train_y, test_x, test_y, WORDS, augment=_shifted)


def _spoken(program: str, voices: tuple[str, ...]) -> tuple[Floats, Any]:
    clips = [
        _Clip(word, voice, pitch, speed)
        for voice in voices
        for word in WORDS
        for pitch in _PITCHES
        for speed in _SPEEDS
    ]
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        sounds = list(pool.map(lambda clip: _synthesized(program, clip), clips))
    rng = np.random.default_rng(0)
    features = [
        mfcc(sound + _NOISE * rng.normal(size=len(sound)).astype(np.float32), _RATE, *_MFCC)
        for sound in sounds
    ]
    labels = np.array([WORDS.index(clip.word) for clip in clips])
    return np.stack(features).astype(np.float32)[..., None], labels


_MFCC = (_FRAME, _STRIDE, _BANDS, _COEFFICIENTS)


def _synthesized(program: str, clip: _Clip) -> Floats:
    command = [program, "-v", clip.voice, "-p", str(clip.pitch), "-s", str(clip.speed), "--stdout"]
    result = subprocess.run([*command, clip.word], capture_output=True, check=False)
    if result.returncode or not result.stdout:
        raise MissingDependencyError(
            f"espeak-ng cannot speak with voice {clip.voice}: "
            f"{result.stderr.decode(errors='replace').strip()}; install espeak-ng-data"
        )
    with wave.open(io.BytesIO(result.stdout)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return of_length((samples / 32768.0).astype(np.float32), _RATE)


def _shifted(x: Floats, _: Integers, rng: np.random.Generator) -> Floats:
    """Shifts each clip in time by up to 4 frames and adds noise."""
    shifts = rng.integers(-4, 5, len(x))
    moved = np.stack(
        [np.roll(image, shift, axis=0) for image, shift in zip(x, shifts, strict=True)]
    )
    return (moved + rng.normal(scale=0.05, size=moved.shape)).astype(np.float32)


TASK = Task(
    name="spoken-words",
    title="ten spoken words, unseen voices, 49 x 10 MFCCs",
    load=load,
    is_offline=True,
    source="synthesised by espeak-ng (apt-get install espeak-ng)",
)
