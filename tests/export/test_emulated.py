"""Exported projects test themselves in emulation: operators, arena, input and output.

Init fails unless TFLM takes exactly the arena that was predicted. Set MCU_PREDICTOR_TFLM (see
tests/emulation/firmware/test_own_tflm.py) to build them with a TFLM of the user's, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from predictor.errors import PredictorError, UsageError
from predictor.export.ecosystem import find_ecosystem
from predictor.export.folder import write_folder
from predictor.export.project import export_project
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.tflm_library import Tflm
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS, ds_cnn
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_writer import write_model
from predictor.proof.firmware_diff import diff_firmware
from tests.export.builds import (
    compile_project,
    library_of,
    prediction_for,
    run_exported,
    run_program,
    tflms,
)
from tests.networks import network

pytestmark = [pytest.mark.usefixtures("emulation_tools"), pytest.mark.toolchain]

BOARDS = {"cortex-m4": "f446re", "cortex-m7": "f746zg", "cortex-m0plus": "pico", "m33": "l552ze"}
OK = "exported self-test: ok"
"""The last line; TFLM of 2020 writes some before it."""


def small() -> ModelBuilder:
    return ds_cnn(channels=8, blocks=1)


def floats() -> ModelBuilder:
    builder = ModelBuilder("floats")
    x = builder.conv_2d(builder.input((1, 6, 6, 2), "float32"), 3, kernel=3)
    builder.output(builder.softmax(builder.fully_connected(builder.reshape(x, (1, -1)), 4)))
    return builder


def variables(count: int) -> ModelBuilder:
    """A model with resource variables, which TFLM keeps in the arena."""
    builder = ModelBuilder("variables")
    x = builder.input((16,), "float32")
    for index in range(count):
        options = {"container": "", "shared_name": f"v{index}"}
        (handle,) = builder.operator("VAR_HANDLE", [], [((), "resource")], options)
        builder.operator("ASSIGN_VARIABLE", [handle, x], [], {})
        (x,) = builder.operator("READ_VARIABLE", [handle], [((16,), "float32")], {})
    builder.output(x)
    return builder


@pytest.mark.parametrize(
    "board", [BOARDS["cortex-m4"], pytest.param(BOARDS["cortex-m0plus"], marks=pytest.mark.slow)]
)
def test_a_project_tests_itself_and_is_sound(board: str, tmp_path: Path) -> None:
    tested, prediction = run_exported(small().build(), board, PackagedTflm(), tmp_path)
    assert (tested.last_line, tested.status) == (OK, 0)
    found = diff_firmware(prediction, tmp_path / "build" / "exported_example.elf")
    assert found.mistakes == ()
    assert found.tflm == "of 2020 or 2021"
    by_map = diff_firmware(prediction, tmp_path / "build" / "exported.map")
    assert (by_map.mistakes, by_map.flash_bytes) == ((), found.flash_bytes)


def test_a_device_model_brings_its_kernels(tmp_path: Path) -> None:
    content = write_model(network("int4", "int4"))
    tested, _ = run_exported(content, "f446re", PackagedTflm(), tmp_path, "mn")
    assert (tested.last_line, tested.status) == (OK, 0)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    """An output, the arena and an operator that are not as exported; each is found when it runs."""
    tflm = PackagedTflm()
    prediction = prediction_for(small().build(), "f446re", tflm, None)
    project = export_project(prediction, find_ecosystem("bare"), "exported")
    changes = {
        "the outputs are not those of the host": (
            "model/model_self_test.cc",
            b"const uint8_t kOutputs[] = {\n    0x",
            b"const uint8_t kOutputs[] = {\n    0x7f ^ 0x",
        ),
        "TFLM takes another arena": (
            "model/model_arena.h",
            b"kArenaUsedBytes = ",
            b"kArenaUsedBytes = -16 + ",
        ),
        "AllocateTensors failed": (
            "model/model_arena.h",
            b"kTensorArenaSize = %d" % prediction.arena.required_bytes,
            b"kTensorArenaSize = %d" % (prediction.arena.required_bytes - 16),
        ),
    }
    for words, (path, before, after) in changes.items():
        assert before in project.files[path]
        files = project.files | {path: project.files[path].replace(before, after)}
        if words.startswith("AllocateTensors"):
            files[path] = files[path].replace(b"kArenaUsedBytes <= kTensorArenaSize", b"true")
        write_folder(tmp_path, files)
        elf = compile_project(tmp_path, project.name, library_of(prediction, tflm))
        tested = run_program(elf, "f446re")
        assert words in tested.text
        assert tested.status == 1


COUNT, WITH_STATE_OR_KERNELS = 20, 5
"""Models that run on each core, and those of them with variables or kernels of their own."""


def special_models() -> Iterator[tuple[str, bytes, str | None]]:
    """Models with resource variables or for our kernels, and the kernel set that they take."""
    for number in (1, 2, 3, 5, 7):
        yield f"{number} variables", variables(number).build(), None
    yield "device int4", write_model(network("int4", "int4")), "mn"
    yield "device int8", write_model(network("int4", "int8")), "mn"
    yield "drop-in", write_model(network()), "mn"


def plain_models() -> Iterator[tuple[str, bytes, str | None]]:
    """Models of any number; a TFLM or a board takes some of them."""
    yield "small", small().build(), None
    yield "floats", floats().build(), None
    yield "autoencoder", EXAMPLE_MODELS["autoencoder"]().build(), None
    for seed in count():
        yield f"random {seed}", random_graph(seed, max_operators=25, mid_2020=True).build(), None


def runs(
    models: Iterable[tuple[str, bytes, str | None]], board: str, tflm: Tflm, folder: Path
) -> Iterator[str]:
    """Exports, builds and runs those that this TFLM takes on a board; their names."""
    for name, content, kernels in models:
        try:
            prediction = prediction_for(content, board, tflm, kernels)
            tflm.require(prediction.board, prediction.revision.kernel_set.library.name)
        except PredictorError:  # of what this TFLM or this core lacks
            continue
        if not prediction.fits or prediction.invoke_errors:
            continue
        tested, _ = run_exported(content, board, tflm, folder, kernels)
        assert (name, tested.last_line, tested.status) == (name, OK, 0)
        yield name


@pytest.mark.slow
@pytest.mark.timeout(3600)  # twenty builds
@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("tflm", tflms(), ids=lambda tflm: tflm.revision)
def test_twenty_models(core: str, tflm: Tflm, tmp_path: Path) -> None:
    """One after the other in the same folder, whose files each export replaces."""
    board = BOARDS[core]
    try:
        prediction = prediction_for(small().build(), board, tflm, None)
        tflm.require(prediction.board, prediction.revision.kernel_set.library.name)
    except UsageError as error:
        pytest.skip(str(error))
    special = list(runs(special_models(), board, tflm, tmp_path))
    if tflm.revision != "2020.07":  # which has neither variables nor, but on some cores, kernels
        assert len(special) >= WITH_STATE_OR_KERNELS
    plain = list(islice(runs(plain_models(), board, tflm, tmp_path), COUNT - len(special)))
    assert len(special) + len(plain) == COUNT


_CUBEMX = """
cmake_minimum_required(VERSION 3.16)
project(app LANGUAGES C)
add_library(stm32cubemx INTERFACE)
set(FLAGS -mcpu=cortex-m7 -mthumb -mfloat-abi=hard)
target_compile_options(stm32cubemx INTERFACE ${FLAGS})
add_executable(exported_example main.c)
target_compile_options(exported_example PRIVATE ${FLAGS})
target_link_options(exported_example PRIVATE ${FLAGS} --specs=nano.specs --specs=nosys.specs)
set_target_properties(exported_example PROPERTIES LINKER_LANGUAGE CXX SUFFIX .elf)
enable_language(CXX)
add_subdirectory(exported)
target_link_libraries(exported_example exported)
"""


@pytest.mark.slow
def test_a_folder_for_cubemx_links_with_its_c(tmp_path: Path) -> None:
    """In a project of the shape that CubeMX writes, whose program is C."""
    tflm = PackagedTflm()
    prediction = prediction_for(small().build(), "f746zg", tflm, None)
    project = export_project(prediction, find_ecosystem("stm32cube"), "exported")
    write_folder(tmp_path, project.files)
    (tmp_path / "CMakeLists.txt").write_text(_CUBEMX)
    toolchain = export_project(prediction, find_ecosystem("bare"), "exported").files
    (tmp_path / "toolchain.cmake").write_bytes(toolchain["toolchain.cmake"])
    log = "#include <stdio.h>\nvoid DebugLog(const char* text) { puts(text); }\n"
    call = "const char* ModelSelfTest(void);\nint main(void) { return ModelSelfTest()[0]; }\n"
    (tmp_path / "main.c").write_text(log + call)
    elf = compile_project(tmp_path, "exported", library_of(prediction, tflm))
    assert diff_firmware(prediction, elf).mistakes == ()
