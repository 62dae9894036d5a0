"""Samples, studies that go on where they stopped, and the lines through their results."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.characterize import study
from predictor.characterize.sampling import BACKBONES, LAYERS, Subject
from predictor.characterize.statistics import lines, power_levels, ratio
from predictor.characterize.study import Result, Settings, run
from predictor.errors import UsageError
from predictor.model.builder import ModelBuilder

SETTINGS = Settings(space=LAYERS, boards=("f767zi",))
COUNT = 6


def _write(path: Path, content: str) -> None:
    path.write_text(content)


@pytest.mark.parametrize("space", [LAYERS, *BACKBONES])
def test_draws_depend_on_seed_index_and_attempt_alone(space: str) -> None:
    def model(seed: int, index: int, attempt: int) -> bytes:
        return Subject(space, index, seed).draw(attempt)[1].build()

    assert model(1, 2, 0) == model(1, 2, 0)
    assert len({model(1, 2, 0), model(1, 3, 0), model(2, 2, 0), model(1, 2, 1)}) == 4


def _weighted(builder: ModelBuilder, name: str) -> Iterable[tuple[int, ...]]:
    part = builder.graph().main
    return (part.tensors[op.outputs[0]].shape for op in part.operators if op.name == name)


def test_the_kws_backbone_is_an_enlarged_ds_cnn() -> None:
    depths = set()
    for index in range(40):
        group, builder = Subject("kws", index, 0).draw(0)
        assert group == "kws"
        convolutions = list(_weighted(builder, "CONV_2D"))
        assert convolutions[0][1:3] == (25, 10)
        assert all(shape[3] % 4 == 0 and shape[3] <= 276 for shape in convolutions)
        depths.add(len(convolutions) - 1)
    assert min(depths) >= 1
    assert max(depths) <= 9
    assert len(depths) > 4


def test_the_image_backbone_is_mobilenet_v2() -> None:
    for index in range(5):
        _, builder = Subject("image", index, 0).draw(0)
        assert len(list(_weighted(builder, "DEPTHWISE_CONV_2D"))) == 17
        assert len(list(_weighted(builder, "ADD"))) == 10
        head = list(_weighted(builder, "CONV_2D"))[-1]
        assert head[1:3] == (2, 2)
        assert 128 <= head[3] <= 1280


def test_layers_cover_types_and_channels() -> None:
    drawn = [Subject(LAYERS, index, 0).draw(0) for index in range(100)]
    groups = {group for group, _ in drawn}
    assert groups == {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    depths = [shape[3] for _, builder in drawn for shape in _weighted(builder, "CONV_2D")]
    assert 0.4 < sum(depth % 4 == 0 for depth in depths) / len(depths) < 0.9


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_several_processes_give_the_same_file(tmp_path: Path) -> None:
    one, two = _folder(tmp_path, "one"), _folder(tmp_path, "two")
    results = run(SETTINGS, COUNT, one, _write, jobs=1)
    assert results == run(SETTINGS, COUNT, two, _write, jobs=2)
    assert SETTINGS.path(one).read_text() == SETTINGS.path(two).read_text()
    assert [result.name for result in results] == [f"layers-{index:04d}" for index in range(COUNT)]
    assert all(result.latency_s > 0 for result in results)


def test_an_interrupted_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = study.measure
    measured: list[str] = []

    def interrupted(subject: Subject, settings: Settings) -> list[Result]:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(subject.name)
        return measure(subject, settings)

    monkeypatch.setattr(study, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(SETTINGS, COUNT, tmp_path, _write, jobs=1)
    assert len(study.read(SETTINGS.path(tmp_path), SETTINGS)) == 3

    def counted(subject: Subject, settings: Settings) -> list[Result]:
        measured.append(subject.name)
        return measure(subject, settings)

    monkeypatch.setattr(study, "measure", counted)
    seen: list[tuple[int, int]] = []
    run(SETTINGS, COUNT, tmp_path, _write, jobs=1, progress=lambda *pair: seen.append(pair))
    assert sorted(measured) == [subject.name for subject in SETTINGS.subjects(COUNT)]
    assert seen == [(3, 6), (4, 6), (5, 6), (6, 6)]
    monkeypatch.undo()
    whole = _folder(tmp_path, "whole")
    run(SETTINGS, COUNT, whole, _write, jobs=1)
    assert SETTINGS.path(tmp_path).read_text() == SETTINGS.path(whole).read_text()


def test_more_and_fewer_samples(tmp_path: Path) -> None:
    few = run(SETTINGS, 2, tmp_path, _write, jobs=1)
    more = run(SETTINGS, 4, tmp_path, _write, jobs=1)
    assert more[:2] == few
    assert run(SETTINGS, 2, tmp_path, _write, jobs=1) == few
    assert study.read(SETTINGS.path(tmp_path), SETTINGS) == more


def test_other_spaces_in_the_folder(tmp_path: Path) -> None:
    kws = replace(SETTINGS, space="kws")
    found = run(kws, 1, tmp_path, _write, jobs=1)
    assert study.others(SETTINGS, tmp_path) == found
    assert study.others(kws, tmp_path) == ()
    assert study.others(replace(SETTINGS, seed=1), tmp_path) == ()


def test_a_folder_with_another_study(tmp_path: Path) -> None:
    run(SETTINGS, 1, tmp_path, _write, jobs=1)
    with pytest.raises(UsageError, match="holds another study"):
        run(replace(SETTINGS, seed=5), 1, tmp_path, _write, jobs=1)


@pytest.mark.parametrize("damage", ["", "a,b\n1,2\n", SETTINGS.mark + "\nname,space\nx,y\n"])
def test_a_file_that_is_no_study(damage: str, tmp_path: Path) -> None:
    SETTINGS.path(tmp_path).write_text(damage)
    with pytest.raises(UsageError, match="study"):
        run(SETTINGS, COUNT, tmp_path, _write, jobs=1)


def test_what_fits_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "_ATTEMPTS", 5)
    text = (Path(study.__file__).parents[1] / "boards" / "f446re.toml").read_text()
    small = tmp_path / "small.toml"
    small.write_text(text.replace("114_688", "1_024").replace("0x2001_C000", "0x2000_0400"))
    settings = Settings(space="image", boards=(str(small),))
    with pytest.raises(UsageError, match="none of 5 samples of image fits all of"):
        run(settings, 1, tmp_path, _write, jobs=1)


def _result(group: str, board: str, ops: int, seconds: float, watts: float = 0.4) -> Result:
    return Result(
        f"{group}{ops}", group, group, board, ops // 2, ops, ops, 0, seconds, watts * seconds,
        0, 0, "test",
    )  # fmt: skip


@settings(deadline=None)
@given(
    st.floats(1e-9, 1e-6),
    st.floats(0, 1e-2),
    st.lists(st.integers(10**3, 10**9), min_size=3, max_size=30, unique=True),
)
def test_lines_through_points_on_a_line(slope: float, intercept: float, ops: list[int]) -> None:
    results = [_result("kws", "f446re", n, slope * n + intercept) for n in ops]
    (line,) = lines(results)
    assert line.slope_s == pytest.approx(slope, rel=1e-3)
    assert line.r2 == pytest.approx(1.0, abs=1e-6)
    assert line.count == len(ops)


def test_lines_agree_with_numpy() -> None:
    noise = np.random.default_rng(0)
    ops = noise.integers(10**6, 10**8, 50)
    seconds = 5e-9 * ops * noise.normal(1, 0.1, 50)
    results = [_result("kws", "b", int(n), float(s)) for n, s in zip(ops, seconds, strict=True)]
    (line,) = lines(results)
    slope, intercept = np.polyfit(ops, seconds, 1)
    assert line.slope_s == pytest.approx(slope)
    assert line.intercept_s == pytest.approx(intercept)
    assert line.r2 == pytest.approx(np.corrcoef(ops, seconds)[0, 1] ** 2)


def test_ratios_and_powers() -> None:
    results = [_result("kws", "b", n, 1e-8 * n) for n in (10, 20, 30)]
    results += [_result("image", "b", n, 1.4e-8 * n, 0.5) for n in (10, 20, 30)]
    found = lines(results)
    assert ratio(found, "b", "kws", "image") == pytest.approx(1.4)
    assert ratio(found, "c", "kws", "image") is None
    levels = {level.group: level for level in power_levels(results)}
    assert levels["image"].mean_w == pytest.approx(0.5)
    assert levels["image"].relative_sd == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", [3, 4])
def test_models_of_any_seed_draw(seed: int) -> None:
    chance = random.Random(seed)
    for space in (LAYERS, *BACKBONES):
        for _ in range(10):
            group, builder = Subject(space, chance.randrange(1000), seed).draw(0)
            assert builder.graph().main.operators
            assert group
