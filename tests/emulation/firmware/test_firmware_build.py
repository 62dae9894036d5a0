"""Builds of the firmware: layout, cache, files, errors."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from predictor import toml
from predictor.boards.board import find_board
from predictor.errors import (
    BoardError,
    EmulationError,
    FlashOverflowError,
    LinkedTflmError,
    MissingDependencyError,
    OutputError,
    UsageError,
)
from predictor.firmware import cache, toolchain
from predictor.firmware.board_file import board_file
from predictor.firmware.build import (
    FirmwareFiles,
    build,
    firmware_dir,
    write_firmware,
)
from predictor.firmware.cmake import build_with_cmake
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.op_resolver import LinkableOperator
from predictor.firmware.target import FirmwareTarget, firmware_target
from predictor.model.example_models import EXAMPLE_MODELS
from tests.emulation.firmware.conftest import BOARDS, BuildRunner, emulate, report_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.toolchain
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("board", BOARDS)
def test_layout(board: str, build_runner: BuildRunner) -> None:
    image = build_runner(board)
    elf = ElfImage(image.elf)
    flash, ram = (find_board(board).spans(kind)[0] for kind in ("flash", "sram"))
    flash_base, ram_base = flash.regions[0].base, ram.regions[0].base
    for segment in elf.segments:
        if segment.data:  # lies in flash, ends before the blobs
            assert flash_base <= segment.load_address
            assert segment.load_address + segment.memory_bytes <= image.blob_address
        else:
            assert ram_base <= segment.load_address
            assert segment.load_address + segment.memory_bytes <= ram_base + ram.size_bytes
    assert image.blob_address % 16 == 0
    assert image.blob_address == flash_base + image.flash_bytes
    assert image.blob_address + image.blob_room_bytes == flash_base + flash.size_bytes
    # The stack lies lowest: an overflow leaves RAM.
    assert elf.symbol("__stack_start") == ram_base
    used = image.stack_bytes + image.data_bytes + image.bss_bytes
    assert used <= ram.size_bytes - image.free_ram_bytes < used + 32
    assert elf.is_hard_float
    assert image.map.is_file()


@pytest.mark.toolchain
@pytest.mark.timeout(600)
@pytest.mark.parametrize("board", BOARDS)
def test_the_build_has_no_warnings(board: str, build_runner: BuildRunner) -> None:
    log = (build_runner(board).elf.parent / "build.log").read_text()
    assert "warning:" not in log


@pytest.mark.toolchain
def test_a_second_build_comes_from_the_cache(build_runner: BuildRunner) -> None:
    steps: list[str] = []
    assert build(firmware_target("f446re"), progress=steps.append) == build_runner("f446re")
    assert steps == []


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_operators_of_one_model_take_less_flash(build_runner: BuildRunner) -> None:
    one = build_runner("f446re", operators=("FULLY_CONNECTED",))
    assert one.flash_bytes < build_runner("f446re").flash_bytes / 3
    assert one.elf != build_runner("f446re").elf


@pytest.mark.toolchain
def test_an_operator_that_this_tflm_lacks(build_runner: BuildRunner) -> None:
    build_runner("f446re")
    target = replace(firmware_target("f446re"), operators=frozenset({"LEAKY_RELU"}))
    with pytest.raises(LinkedTflmError, match="no operator LEAKY_RELU"):
        build(target)


@pytest.fixture(scope="module")
def kws_files(
    tmp_path_factory: pytest.TempPathFactory, build_runner: BuildRunner
) -> tuple[bytes, FirmwareFiles]:
    """A model and the files of a firmware that holds it."""
    build_runner("f446re")
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    return model, write_firmware(
        model, firmware_target("f446re"), tmp_path_factory.mktemp("firmware") / "new"
    )


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_files_hold_code_and_model(kws_files: tuple[bytes, FirmwareFiles]) -> None:
    model, files = kws_files
    binary = files.bin.read_bytes()
    assert len(binary) == files.flash_bytes
    assert binary.endswith(model_blobs(model))
    assert files.model.read_bytes() == model_blobs(model)
    assert files.hex.read_text().startswith(":02000004")
    names = sorted(path.name for path in files.elf.parent.iterdir())
    assert names == [f"f446re.{kind}" for kind in ("bin", "elf", "hex", "map", "model")]


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_files_are_the_same_each_time(
    kws_files: tuple[bytes, FirmwareFiles], tmp_path: Path
) -> None:
    model, files = kws_files
    again = write_firmware(model, firmware_target("f446re"), tmp_path)
    for kind in ("elf", "hex", "bin", "map", "model"):
        assert getattr(files, kind).read_bytes() == getattr(again, kind).read_bytes(), kind


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_written_firmware_runs_by_itself(
    kws_files: tuple[bytes, FirmwareFiles], build_runner: BuildRunner
) -> None:
    model, files = kws_files
    alone = report_of(emulate(replace(files.image, elf=files.elf), b""))
    beside = report_of(emulate(build_runner("f446re"), model_blobs(model)))
    alone.require_success()
    assert alone.arena == beside.arena
    assert alone.runs[0].output_bytes(0) == beside.runs[0].output_bytes(0)
    assert [op.cyccnt for op in alone.runs[0].operators] == [
        op.cyccnt for op in beside.runs[0].operators
    ]


@pytest.mark.toolchain
def test_a_model_beyond_the_flash(build_runner: BuildRunner, tmp_path: Path) -> None:
    image = build_runner("f446re")
    with pytest.raises(FlashOverflowError, match=r"flash of f446re is [\d,]+ bytes too small"):
        write_firmware(bytes(image.blob_room_bytes), firmware_target("f446re"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_files_that_cannot_be_written(build_runner: BuildRunner, tmp_path: Path) -> None:
    build_runner("f446re")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the firmware"):
        write_firmware(b"model", firmware_target("f446re"), tmp_path / "file")


@pytest.mark.toolchain
def test_a_failing_build_tells_why_and_leaves_nothing(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = LinkableOperator("CONV_2D", "undeclared", False, 1)
    monkeypatch.setattr(FirmwareTarget, "available_operators", lambda *_: (broken,))
    with pytest.raises(EmulationError, match="'undeclared'"):
        build(firmware_target("f446re"))
    assert not (own_cache / "firmware").exists()


@pytest.mark.parametrize(
    ("present", "command"),
    [
        ((), "apt install gcc-arm-none-eabi"),
        (("arm-none-eabi-g++",), "apt install cmake"),
    ],
)
def test_missing_programs_are_named_with_their_package(
    present: tuple[str, ...], command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in present:
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.find_toolchain.cache_clear()
    try:
        with pytest.raises(MissingDependencyError, match=command):
            build(firmware_target("f446re"))
    finally:
        toolchain.find_toolchain.cache_clear()


@pytest.mark.toolchain
def test_missing_cargo_is_named(
    build_runner: BuildRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_runner("f446re")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    found = toolchain.find_toolchain()
    monkeypatch.setattr("predictor.firmware.build.find_toolchain", lambda: found)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="cargo: apt install cargo"):
        build(firmware_target("f446re"))


def test_kernel_sets() -> None:
    with pytest.raises(UsageError, match="reference kernels only"):
        firmware_target("f446re", kernels="cmsis_nn")
    with pytest.raises(UsageError, match="unknown kernel set 'fast'"):
        firmware_target("f446re", kernels="fast")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": "h7"}, "the firmware has ports for f4, f7"),
        ({"tx_pin": None}, "uart.tx_pin is missing"),
        ({"alternate_function": None}, "uart.alternate_function is missing"),
    ],
)
def test_boards_that_the_firmware_cannot_serve(change: dict[str, Any], words: str) -> None:
    board = find_board("f746zg")
    assert board.uart is not None
    with pytest.raises(BoardError, match=words):
        board_file(replace(board, uart=replace(board.uart, **change)))


def test_any_other_board_takes_the_generic_port() -> None:
    board = find_board("f746zg")
    assert board.uart is not None
    for uart in (None, replace(board.uart, generation=None)):
        assert 'set(BOARD_PORT "generic")' in board_file(replace(board, uart=uart))


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    assert cache.cache_dir() == tmp_path


def test_all_sources_are_installed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        entries = toml.load(file)["tool"]["setuptools"]["data-files"]
    patterns = [pattern for group in entries.values() for pattern in group]
    for path in firmware_dir().rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        here = [p for p in patterns if p.count("/") == name.count("/")]
        matching = [p for p in here if fnmatch.fnmatch(name, p)]
        assert path.is_dir() or matching, f"{name} is in no entry of data-files"


@pytest.mark.toolchain
def test_tflm_below_a_folder_that_is_called_test(firmware_tools: None, tmp_path: Path) -> None:
    """Tests of TFLM are left out by the names of their files, not of folders around it."""
    lite = tmp_path / "tester" / "tensorflow" / "lite"
    sources = (
        "micro/micro_interpreter",
        "micro/micro_test",
        "micro/debug_log",
        "micro/test_helpers",
    )
    for name in sources:
        (lite / name).parent.mkdir(parents=True, exist_ok=True)
        (lite / f"{name}.cc").write_text("")
    for name in ("c/common.c", "kernels/internal/quantization_util.cc", "kernels/kernel_util.cc"):
        (lite / name).parent.mkdir(parents=True, exist_ok=True)
        (lite / name).write_text("")
    build_folder, firmware = tmp_path / "build", firmware_dir()
    build_folder.mkdir()
    build_with_cmake(
        toolchain.find_toolchain(),
        firmware / "tflm",
        build_folder,
        TFLM_ROOT=str(tmp_path / "tester"),
        CORE_FLAGS="-mcpu=cortex-m4;-mthumb",
    )
    compiled = {path.name for path in build_folder.rglob("*.obj")}
    assert "micro_interpreter.cc.obj" in compiled
    assert not compiled & {"micro_test.cc.obj", "debug_log.cc.obj", "test_helpers.cc.obj"}
