"""Tasks: offline ones, and loaders on small archives in the exact public layout."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.tasks import TASKS, find_task
from nas.tasks.audio import log_mel, mel_filters, read_wave
from predictor.errors import UsageError


def _write_wave(path: Path, samples: Any, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _tone(hertz: float, seconds: float = 1.0) -> Any:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)


@pytest.mark.parametrize("name", ["kws", "vww", "anomaly"])
def test_public_data_sets_say_where_they_are_from(name: str, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "absent", tmp_path):
        with pytest.raises(UsageError, match="Get "):
            find_task(name).data(folder, 0, {})


def test_unknown_tasks_are_errors() -> None:
    with pytest.raises(UsageError, match="digits"):
        find_task("chess")


@pytest.mark.parametrize("name", ["digits", "faces", "japanese-vowels", "machine-sounds"])
def test_offline_tasks_load(name: str) -> None:
    pytest.importorskip(
        {"digits": "sklearn", "faces": "skimage", "japanese-vowels": "aeon"}.get(name, "numpy")
    )
    data = find_task(name).data(None, 0, {})
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_x.shape[1:] == data.test_x.shape[1:] == data.input_shape
    assert set(data.train_y) == set(range(len(data.classes)))
    assert np.abs(data.train_x).max() <= 1.5
    again = find_task(name).data(None, 1, {})
    assert np.array_equal(again.test_x, data.test_x)
    if data.augment is not None:
        changed = data.augment(data.train_x[:8], np.arange(8), np.random.default_rng(0))
        assert changed.shape == data.train_x[:8].shape
    assert TASKS[name]


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Speech Commands v2: word folders, _background_noise_, the two lists."""
    for number, word in enumerate(("yes", "no", "stop", "bed", "cat")):
        for speaker in range(4):
            _write_wave(tmp_path / word / f"{speaker:08x}_nohash_0.wav", _tone(200 + 90 * number))
    _write_wave(tmp_path / "_background_noise_" / "pink_noise.wav", _tone(50, 3.0))
    (tmp_path / "validation_list.txt").write_text("yes/00000000_nohash_0.wav\n")
    tested = [f"{word}/00000001_nohash_0.wav" for word in ("yes", "no", "bed")]
    (tmp_path / "testing_list.txt").write_text("\n".join(tested) + "\n")
    return tmp_path


def test_speech_commands_use_the_official_lists(speech: Path) -> None:
    data = find_task("kws").data(speech, 0, {})
    assert data.input_shape == (49, 10, 1)
    assert len(data.classes) == 12
    # Keywords (12 less 1 validated and 2 tested), 1 unknown word, 1 silence.
    assert len(data.train_x) == 9 + 1 + 1
    assert sorted(data.test_y) == [0, 1, 2, 3]


def test_speech_of_another_rate_is_an_error(speech: Path) -> None:
    _write_wave(speech / "yes" / "00000009_nohash_0.wav", _tone(100), rate=8000)
    with pytest.raises(UsageError, match="needs 16 bits at 16000 Hz"):
        find_task("kws").data(speech, 0, {})
    (speech / "yes" / "00000009_nohash_0.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="no readable WAV"):
        read_wave(speech / "yes" / "00000009_nohash_0.wav", 16_000)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """COCO 2017: images by split, instance annotations."""
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for split in ("train2017", "val2017"):
        (tmp_path / split).mkdir()
        rows = []
        for number in range(3):
            name = f"{number:012d}.jpg"
            image.new("RGB", (100, 80), (40 * number, 0, 0)).save(tmp_path / split / name)
            rows.append({"id": number, "file_name": name, "width": 100, "height": 80})
        found = [
            {"image_id": 0, "category_id": 1, "area": 40.0},
            {"image_id": 1, "category_id": 1, "area": 39.9},
            {"image_id": 2, "category_id": 18, "area": 4000.0},
        ]
        path = tmp_path / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
        content = {"images": rows, "annotations": found, "categories": categories}
        path.write_text(json.dumps(content))
    return tmp_path


def test_a_person_counts_from_half_a_percent_of_the_image(coco: Path) -> None:
    data = find_task("vww").data(coco, 0, {"image_size": 32})
    assert data.input_shape == (32, 32, 1)
    assert data.train_y.tolist() == [1, 0, 0]
    assert len(find_task("vww").data(coco, 0, {"max_images": 2}).test_x) == 2


def test_damaged_coco_folders_are_errors(coco: Path) -> None:
    (coco / "val2017" / f"{1:012d}.jpg").unlink()
    with pytest.raises(UsageError, match="cannot read"):
        find_task("vww").data(coco, 0, {})
    path = coco / "annotations" / "instances_train2017.json"
    path.write_text("{}")
    with pytest.raises(UsageError, match="no COCO instance annotations"):
        find_task("vww").data(coco, 0, {})
    path.write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        find_task("vww").data(coco, 0, {})


def test_dcase_and_mimii_layouts_give_the_same_machines(tmp_path: Path) -> None:
    dcase, mimii = tmp_path / "dcase" / "slider", tmp_path / "mimii" / "slider"
    for machine in ("id_00", "id_02"):
        for number in range(3):
            sound = _tone(100 + 50 * number, 5.0)
            _write_wave(dcase / "train" / f"normal_{machine}_{number:08d}.wav", sound)
            _write_wave(mimii / machine / "normal" / f"{number:08d}.wav", sound)
        _write_wave(dcase / "test" / f"normal_{machine}_00000000.wav", _tone(100, 5.0))
        _write_wave(dcase / "test" / f"anomaly_{machine}_00000000.wav", _tone(900, 5.0))
        _write_wave(mimii / machine / "abnormal" / "00000000.wav", _tone(900, 5.0))
    for folder in (dcase.parent, mimii.parent):
        data = find_task("anomaly").data(folder, 0, {})
        assert data.input_shape == (32, 32, 1)
        assert data.classes == ("id_00", "id_02")
        assert data.test_anomalous is not None
        assert data.test_anomalous.sum() == len(data.test_y) / 2
        assert not np.isnan(data.train_x).any()


def test_a_tone_lies_in_its_mel_band() -> None:
    filters = mel_filters(16_000, 1024, 20)
    assert filters.shape == (20, 513)
    energies = log_mel(_tone(1000).astype(np.float32), 16_000, 640, 320, 20)
    expected = np.argmax(filters[:, round(1000 / (16_000 / 1024))])
    assert (np.argmax(energies, axis=1) == expected).all()


@pytest.mark.slow
def test_words_are_spoken() -> None:
    import shutil

    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    data = find_task("spoken-words").data(None, 0, {})
    assert data.input_shape == (49, 10, 1)
    assert len(data.classes) == 10
