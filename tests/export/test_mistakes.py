"""The mistakes that ``predict diff`` finds, made in exported projects that are built with TFLM."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.export.ecosystem import find_ecosystem
from predictor.export.folder import write_folder
from predictor.export.project import export_project
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.program import Program
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.toolchain import PREFIX
from predictor.model.example_models import ds_cnn
from predictor.prediction import Prediction, predict
from predictor.proof.firmware_diff import diff_firmware
from predictor.proof.operator_code import SHARED, operator_code
from tests.export.builds import compile_project, library_of, prediction_for

pytestmark = [pytest.mark.usefixtures("firmware_tools"), pytest.mark.toolchain, pytest.mark.slow]
CONTENT = ds_cnn(channels=8, blocks=1).build()


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return prediction_for(CONTENT, "f446re", PackagedTflm(), None)


@pytest.fixture(scope="module")
def library(prediction: Prediction) -> TflmLibrary:
    return library_of(prediction, PackagedTflm())


@pytest.fixture(scope="module")
def files(prediction: Prediction) -> dict[str, bytes]:
    return export_project(prediction, find_ecosystem("bare"), "exported").files


def built(folder: Path, files: dict[str, bytes], library: TflmLibrary) -> Path:
    write_folder(folder, files)
    return compile_project(folder, "exported", library)


def changed(files: dict[str, bytes], path: str, before: bytes, after: bytes) -> dict[str, bytes]:
    assert before in files[path]
    return files | {path: files[path].replace(before, after)}


def kinds(prediction: Prediction, elf: Path) -> list[str]:
    return [mistake.kind for mistake in diff_firmware(prediction, elf).mistakes]


def test_none_where_nothing_is_wrong_and_other_kernels(
    prediction: Prediction, files: dict[str, bytes], library: TflmLibrary, tmp_path: Path
) -> None:
    elf = built(tmp_path, files, library)
    assert kinds(prediction, elf) == []
    assert kinds(predict(CONTENT, "f446re", kernels="cmsis_nn"), elf) == ["other-kernels"]
    code = {row.operator: row for row in operator_code(Program(elf), prediction.revision)}
    assert code.keys() == {*prediction.graph.operator_labels, SHARED}
    for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX"):
        assert code[name].linked_bytes == pytest.approx(code[name].predicted_bytes, rel=0.1)
    total = sum(row.linked_bytes for row in code.values())
    assert total == pytest.approx(prediction.flash.operator_bytes, rel=0.1)


def test_an_operator_that_is_not_registered(
    prediction: Prediction, files: dict[str, bytes], library: TflmLibrary, tmp_path: Path
) -> None:
    path = "model/model_resolver.h"
    lines = files[path].splitlines(keepends=True)
    (line,) = (it for it in lines if b"Register_RESHAPE" in it)
    elf = built(tmp_path, changed(files, path, line, b""), library)
    assert kinds(prediction, elf) == ["missing-operator"]


def test_an_arena_that_is_too_small(
    prediction: Prediction, files: dict[str, bytes], library: TflmLibrary, tmp_path: Path
) -> None:
    path, size = "model/model_arena.h", prediction.arena.required_bytes
    smaller = changed(files, path, b"kTensorArenaSize = %d" % size, b"kTensorArenaSize = %d" % 4096)
    smaller = changed(smaller, path, b"kArenaUsedBytes <= kTensorArenaSize", b"true")
    assert kinds(prediction, built(tmp_path, smaller, library)) == ["small-arena"]


def test_a_model_that_is_copied_into_ram(
    prediction: Prediction, files: dict[str, bytes], library: TflmLibrary, tmp_path: Path
) -> None:
    constant = b"extern const uint8_t kModel"
    writable = changed(files, "model/model_data.h", constant, b"extern uint8_t kModel")
    writable = changed(writable, "model/model_data.cc", constant, b"uint8_t kModel")
    assert kinds(prediction, built(tmp_path, writable, library)) == ["model-in-ram"]


def test_kernels_that_were_not_optimised(
    prediction: Prediction, files: dict[str, bytes], library: TflmLibrary, tmp_path: Path
) -> None:
    """TFLM's convolutions are compiled anew, without -O2."""
    archive = Path(shutil.copy(library.archive, tmp_path / library.archive.name))
    listed = subprocess.run([f"{PREFIX}ar", "t", archive], check=True, capture_output=True)
    for source in ("conv.cc", "depthwise_conv.cc"):
        (member,) = (it for it in listed.stdout.decode().split() if it.startswith(f"{source}."))
        command = [f"{PREFIX}g++", *prediction.board.core.model.compiler_flags, "-O0", "-w"]
        command += [f"-I{folder}" for folder in library.include_dirs]
        command += ["-DTF_LITE_STATIC_MEMORY", "-DNDEBUG", "-DGEMMLOWP_ALLOW_SLOW_SCALAR_FALLBACK"]
        command += ["-std=c++17", "-fno-rtti", "-fno-exceptions", "-ffunction-sections", "-c"]
        path = library.root / "tensorflow" / "lite" / "micro" / "kernels" / source
        subprocess.run([*command, path, "-o", tmp_path / member], check=True)
        subprocess.run([f"{PREFIX}ar", "r", archive, tmp_path / member], check=True)
    elf = built(tmp_path, files, replace(library, archive=archive))
    assert kinds(prediction, elf) == ["unoptimised"]
