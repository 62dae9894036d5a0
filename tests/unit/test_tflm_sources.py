"""Which TFLM a tree or a library is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.errors import UsageError
from predictor.firmware import tflm_sources, user_tflm
from predictor.firmware.static_library import StaticLibrary
from predictor.firmware.tflm_sources import (
    TreeRevision,
    digests,
    nearest_by_operators,
    tree_revision,
)
from predictor.memory.revision import device_revisions, load_revision, revision_mark

SHIPPED = ("arduino", "edge-impulse", "pico", "zephyr-2024", "zephyr-4.1", "zephyr-4.4", "esp")


@pytest.mark.parametrize("name", ["arduino", "edge-impulse", "2020.07", "2026.08"])
def test_a_library_is_told_by_what_it_registers(name: str) -> None:
    operators = load_revision(name).kernel_set.operator_names
    functions = (f"Register_{operator}" for operator in operators)
    symbols = [f"_ZN6tflite{len(function)}{function}Ev" for function in functions]
    found = nearest_by_operators([*symbols, "main", "TfLiteTensorRealloc"])
    assert load_revision(found).kernel_set.operator_names == operators


def test_a_library_alone_serves_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "libtflm.a"
    path.write_text("")
    symbols = frozenset({"_ZN6tflite13Register_TILEEv", "TfLiteTensorRealloc"})
    library = StaticLibrary(path, symbols, "armv7e-m", frozenset({"dsp"}), "fpv4", False, True)
    monkeypatch.setattr(user_tflm, "read_static_library", lambda _: library)
    found = user_tflm.read_user_tflm(path)
    assert "by its operators alone" in found.warnings[0]
    with pytest.raises(UsageError, match="lacks TFLM's headers"):
        found.require(find_board("f446re"), "reference")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_tree_is_told_by_its_sources_and_its_mark(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tflm_sources._known(name)
    monkeypatch.setattr(tflm_sources, "digests", lambda root: known)
    mark = tmp_path / revision_mark(name)
    if mark != tmp_path:
        mark.parent.mkdir()
        mark.write_text("")
    found = tree_revision(tmp_path)
    assert found is not None
    assert (found.name, found.changed) == (name, ())


def test_trees_without_the_mark_are_upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tflm_sources._known("zephyr-4.1")
    monkeypatch.setattr(tflm_sources, "digests", lambda root: known)
    found = tree_revision(tmp_path)
    assert found is not None
    assert found.name == "2025.02"


def test_a_build_with_static_memory_has_its_own_name() -> None:
    names = {name: TreeRevision(name, 1, ()).with_static_memory().name for name in SHIPPED}
    assert set(names.values()) <= set(device_revisions())
    assert names["arduino"] == "arduino+static"
    assert names["pico"] == "pico"


def test_sources_of_an_arduino_library_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "tensorflow" / "lite" / "micro" / "kernels"
    folder.mkdir(parents=True)
    (folder / "add.cpp").write_text("int a; // one\n")
    first = digests(tmp_path)
    assert list(first) == ["tensorflow/lite/micro/kernels/add.cpp"]
    (folder / "add.cpp").write_text("int  a;\n")
    assert digests(tmp_path) == first
    shutil.rmtree(folder)
    assert digests(tmp_path) == {}
