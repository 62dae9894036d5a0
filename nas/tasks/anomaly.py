"""MIMII slide rails: does the machine sound broken? (Purohit et al., 2019)

Reads the DCASE 2020 layout (``slider/train/normal_id_00_*.wav``, ``slider/test/anomaly_id_00_*``),
in which Kaggle has the clips too, and that of MIMII itself (``slider/id_00/normal/*.wav``), in
which a tenth of the healthy clips of each machine is kept for testing. Each 20 frames a new image
of 64 frames begins, shrunk to 32 x 32 (paper, sections 4.3 and 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from nas.tasks.audio import log_mel, read_wave, standardized
from nas.tasks.dataset import Dataset, Floats, Task, data_folder
from predictor.errors import UsageError

RATE = 16_000
_FRAME, _STRIDE, _BANDS, _FRAMES = 1024, 512, 64, 64
_STEP = 20
"""Frames from one image to the next: they overlap in 44."""
_SHRINK = 2
_TEST_SHARE = 10
_DCASE = re.compile(r"^(normal|anomaly)_(id_\d\d)_\d+\.wav$")
_HOW = (
    "Get the slide rail (slider) recordings of MIMII, https://zenodo.org/record/3384388, or of "
    "DCASE 2020 task 2, https://zenodo.org/record/3678171 (also on Kaggle), and give the folder "
    "with 'slider' in it."
)


class _Clip(NamedTuple):
    path: Path
    machine: str
    broken: bool
    is_test: bool


def load(folder: Path | None, seed: int, options: Mapping[str, int]) -> Dataset:
    """32 x 32 log-mel patches; ``max_clips`` of the recipe's data table limits each split.

    Raises:
        UsageError: the folder has neither layout.
    """
    most = options["max_clips"]
    root = data_folder(folder, "anomaly", _HOW)
    # Archives unpack to slider/; some copies have dev_data or dev_data_slider around it or for it.
    places = (root / "slider", *sorted(root.glob("*/slider")), root / "dev_data_slider", root)
    clips = next((found for place in places if (found := _clips(place))), [])
    train = [clip for clip in clips if not clip.is_test][:most]
    test = [clip for clip in clips if clip.is_test][:most]
    if not train or len({clip.broken for clip in test}) < 2:
        raise UsageError(
            f"{root} lacks healthy training clips or healthy and broken test clips. {_HOW}"
        )
    machines = tuple(sorted({clip.machine for clip in train}))
    strange = {clip.machine for clip in test} - set(machines)
    if strange:
        raise UsageError(f"{root} tests machines without training clips: {', '.join(strange)}")
    train_x, train_y, _ = _patches(train, machines)
    test_x, test_y, broken = _patches(test, machines)
    train_x, test_x = standardized(train_x, test_x)
    return Dataset(train_x, train_y, test_x, test_y, machines, test_anomalous=broken)


def _clips(root: Path) -> list[_Clip]:
    return _dcase_clips(root) or _mimii_clips(root)


def _dcase_clips(root: Path) -> list[_Clip]:
    found = []
    for split in ("train", "test"):
        for path in sorted((root / split).glob("*.wav")):
            match = _DCASE.match(path.name)
            if match:
                found.append(_Clip(path, match[2], match[1] == "anomaly", split == "test"))
    return found


def _mimii_clips(root: Path) -> list[_Clip]:
    found = []
    for machine in sorted(path for path in root.glob("id_*") if path.is_dir()):
        healthy = sorted((machine / "normal").glob("*.wav"))
        for position, path in enumerate(healthy):
            found.append(_Clip(path, machine.name, False, position % _TEST_SHARE == 0))
        for path in sorted((machine / "abnormal").glob("*.wav")):
            found.append(_Clip(path, machine.name, True, True))
    return found


def _patches(clips: list[_Clip], machines: tuple[str, ...]) -> tuple[Floats, Any, Any]:
    """All patches of all clips; each is judged on its own."""
    x, y, broken = [], [], []
    for clip in clips:
        bands = log_mel(read_wave(clip.path, RATE), RATE, _FRAME, _STRIDE, _BANDS)
        for start in range(0, len(bands) - _FRAMES + 1, _STEP):
            patch = bands[start : start + _FRAMES]
            x.append(patch.reshape(32, _SHRINK, 32, _SHRINK).mean(axis=(1, 3)))
            y.append(machines.index(clip.machine))
            broken.append(clip.broken)
    if not x:
        raise UsageError(f"the clips beside {clips[0].path} are shorter than 2 s")
    return np.stack(x)[..., None], np.array(y), np.array(broken)


TASK = Task(
    name="anomaly",
    title="broken slide rails by their sound, 32 x 32 log-mel",
    load=load,
    options=MappingProxyType({"max_clips": 1_000_000}),
    is_offline=False,
    source="MIMII or DCASE 2020 task 2",
    metric="auc",
)
