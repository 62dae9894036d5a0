"""Builds the firmware of a board and combines it with a model.

What is built is kept in a cache whose key holds compiler, sources, board and options; a second call
returns at once. One runner image serves all models: the host writes the model into flash behind it
(:mod:`predictor.firmware.flash_blob`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from predictor.boards.board import Board
from predictor.errors import (
    EmulationError,
    FlashOverflowError,
    LinkedTflmError,
    OutputError,
    UsageError,
)
from predictor.files import scratch_folder, write_file
from predictor.firmware.arenas import ArenaPlace
from predictor.firmware.board_file import board_file
from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.cmake import build_with_cmake, fill_with_build
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.op_resolver import operators_header, select_operators
from predictor.firmware.runner_objects import library_variables, runner_objects
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.target import FirmwareTarget
from predictor.firmware.tflm_library import PRINTF, TflmLibrary
from predictor.firmware.toolchain import (
    PREFIX,
    ProgressCallback,
    Toolchain,
    find_toolchain,
    run_logged,
)
from predictor.records import dataclass

DEFAULT_STACK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """A linked program for a board.

    Args:
        elf: the program; ``map`` the linker's map of it.
        text_bytes: vectors, code and constants in flash.
        data_bytes: initialised variables, in flash and RAM.
        bss_bytes: other variables.
        stack_bytes: RAM for the stack.
        blob_address: where the host writes the model in flash.
        blob_room_bytes: how much flash is left there.
        free_ram_bytes: RAM for the arena and the runner's tables.
        tflm_revision: revision of the linked TFLM.
        tflm: which TFLM that is, in words.
        has_messages: whether it has those of current TFLM, which code sizes are measured without.
        kernels: its kernel set.
    """

    elf: Path
    map: Path
    board: str
    text_bytes: int
    data_bytes: int
    bss_bytes: int
    stack_bytes: int
    blob_address: int
    blob_room_bytes: int
    free_ram_bytes: int
    tflm_revision: str = ""
    tflm: str = ""
    has_messages: bool = False
    kernels: str = ""

    @property
    def flash_bytes(self) -> int:
        """Flash that the program takes, without blobs."""
        return self.text_bytes + self.data_bytes


def firmware_dir() -> Path:
    """The firmware's sources."""
    return shipped_folder("firmware")


def build(
    target: FirmwareTarget,
    *,
    stack_bytes: int = DEFAULT_STACK_BYTES,
    progress: ProgressCallback = lambda text: None,
) -> FirmwareImage:
    """The runner of a target.

    Args:
        stack_bytes: size of the stack, a multiple of 8.
        progress: called with a line before each long step.

    Raises:
        MissingDependencyError: compiler, CMake or cargo is missing.
        BoardError: the board's description lacks what the firmware needs.
        LinkedTflmError: an operator that this TFLM does not have.
        FlashOverflowError: it exceeds the board's flash.
        EmulationError: a build step failed.
    """
    toolchain = find_toolchain()
    library = target.library(toolchain, progress)
    board = target.program_board
    operators = _operators_header(target, library)
    variables = firmware_variables(toolchain, board, library, operators, stack_bytes, progress)
    folder = _build_cached(toolchain, board, variables, progress)
    return _image(folder, target)


def _operators_header(target: FirmwareTarget, library: TflmLibrary) -> str:
    available = target.available_operators(library)
    try:
        return operators_header(select_operators(available, target.operators))
    except UsageError as error:
        remedy = "--tflm-dir or predict tflm use names another TFLM"
        raise LinkedTflmError(str(error), target.title, remedy) from error


@dataclass(frozen=True, slots=True)
class FirmwareFiles:
    """A firmware with its model as files: for debuggers (elf), programmers (hex, bin), and the
    linker's map. ``model`` is the model alone, to put behind a firmware without one.
    ``flash_bytes`` is what the board's flash holds with program and model."""

    elf: Path
    hex: Path
    bin: Path
    map: Path
    model: Path
    image: FirmwareImage
    flash_bytes: int


def write_firmware(
    model: bytes,
    target: FirmwareTarget,
    out_dir: str | os.PathLike[str],
    *,
    arena_bytes: int = 0,
    arenas: Sequence[ArenaPlace] = (),
    inputs: Iterable[bytes] = (),
    repeats: int = 1,
    stack_bytes: int = DEFAULT_STACK_BYTES,
    progress: ProgressCallback = lambda text: None,
) -> FirmwareFiles:
    """Writes the runner with a model linked in behind it.

    Args:
        model: content of the .tflite file.
        out_dir: folder for ``<board>.elf``, ``.hex``, ``.bin``, ``.map`` and ``.model``; made if
            missing.
        arena_bytes: size of the arena; 0 takes all RAM that is left.
        arenas: where arenas lie instead; the target's board must leave these memories to them.
        inputs: for each run, the bytes of all input tensors in order; none: the runner makes one.
        repeats: how often each input is run.

    Raises: as :func:`build`; OutputError if the files cannot be written.
    """
    board, toolchain = target.program_board, find_toolchain()
    library = target.library(toolchain, progress)
    operators = _operators_header(target, library)
    variables = firmware_variables(toolchain, board, library, operators, stack_bytes, progress)
    blob = model_blobs(model, inputs, arena_bytes, repeats, arenas)
    progress(f"linking the model for {board.name}")
    with scratch_folder() as work:
        (work / "model.blob").write_bytes(blob)
        key = _key(toolchain, board, variables, blob)
        variables["BLOB"] = str(work / "model.blob")
        _compile(toolchain, work, key, board, variables)
        image = _image(work, target)
        return _write_files(image, board, image.flash_bytes + len(blob), Path(out_dir))


def written_files(board: Board, out_dir: Path) -> dict[str, Path]:
    """Where :func:`write_firmware` writes to, by the kind of file."""
    return {
        kind: out_dir / f"{board.name}.{kind}" for kind in ("elf", "map", "model", "hex", "bin")
    }


def _write_files(
    image: FirmwareImage, board: Board, flash_bytes: int, out_dir: Path
) -> FirmwareFiles:
    work = image.elf.parent
    produced = {"elf": image.elf, "map": image.map, "model": work / "model.blob"}
    for suffix, form in (("hex", "ihex"), ("bin", "binary")):
        produced[suffix] = work / f"runner.{suffix}"
        command = [f"{PREFIX}objcopy", "-O", form, str(image.elf), str(produced[suffix])]
        run_logged(command, work / "objcopy.log", f"converting the firmware to {form}")
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the firmware to {out_dir}: {error.strerror}") from error
    written = written_files(board, out_dir)
    for suffix, path in produced.items():
        write_file(written[suffix], path.read_bytes())
    return FirmwareFiles(image=image, flash_bytes=flash_bytes, **written)


def firmware_variables(
    toolchain: Toolchain,
    board: Board,
    library: TflmLibrary,
    operators: str,
    stack_bytes: int,
    progress: ProgressCallback,
) -> dict[str, str]:
    """CMake variables of the firmware of a board with a TFLM library.

    Args:
        operators: text of ``operators.h``, which says which operators to link.

    Raises:
        EmulationError: what boards of one core share could not be compiled.
    """
    objects = runner_objects(toolchain, board.core.model, library, operators, progress)
    return library_variables(library) | {
        "RUNNER_OBJECTS": ";".join(map(str, objects)),
        "STACK_BYTES": str(stack_bytes),
    }


def _build_cached(
    toolchain: Toolchain,
    board: Board,
    variables: dict[str, str],
    progress: ProgressCallback,
) -> Path:
    key = _key(toolchain, board, variables)

    def fill(folder: Path) -> None:
        progress(f"building firmware for {board.name}")
        _compile(toolchain, folder, key, board, variables)

    return cached(cache_dir() / "firmware" / f"{board.name}-{key}", fill)


def _key(
    toolchain: Toolchain,
    board: Board,
    variables: dict[str, str],
    blob: bytes = b"",
) -> str:
    """Digest of all that the image depends on."""
    digest = hashlib.sha256()
    for text in (toolchain.version, board_file(board)):
        digest.update(text.encode() + b"\0")
    for name in sorted(variables):
        digest.update(f"{name}={variables[name]}\0".encode())
    sources = sorted(path for path in firmware_dir().rglob("*.*") if path.suffix != ".md")
    for path in sources:
        digest.update(path.read_bytes() + b"\0")
    digest.update(blob)
    return digest.hexdigest()[:16]


def _compile(
    toolchain: Toolchain,
    folder: Path,
    key: str,
    board: Board,
    variables: dict[str, str],
) -> None:
    """Fills a folder with the program, its map and the log of the build."""

    def build(work: Path) -> None:
        compile_programs(toolchain, work, key, board, variables)

    fill_with_build(folder, build, ["*.elf", "*.map"])


def compile_programs(
    toolchain: Toolchain,
    build: Path,
    key: str,
    board: Board,
    variables: dict[str, str],
) -> None:
    """Compiles the firmware in ``build``, where an earlier call's objects are used again.

    Raises:
        FlashOverflowError: the board's flash cannot hold it; EmulationError: a step failed.
    """
    (build / "board.cmake").write_text(board_file(board), encoding="utf-8")
    source = firmware_dir()
    try:
        build_with_cmake(
            toolchain,
            source,
            build,
            BOARD_FILE=str(build / "board.cmake"),
            FIRMWARE_ID=key,
            **variables,
        )
    except EmulationError as error:
        overflow = re.search(r"region `FLASH' overflowed by (\d+) bytes", str(error))
        if overflow is None:
            raise
        raise FlashOverflowError(
            f"the flash of {board.name} is {int(overflow[1]):,} bytes too small for the firmware"
        ) from error


def _image(folder: Path, target: FirmwareTarget) -> FirmwareImage:
    elf, tflm, board = ElfImage(folder / "runner.elf"), target.tflm, target.board

    def span(start: str, end: str) -> int:
        return elf.symbol(end) - elf.symbol(start)

    data_bytes = span("__data_start", "__data_end")
    flash_base = board.spans("flash")[0].regions[0].base
    return FirmwareImage(
        elf=elf.path,
        map=folder / "runner.map",
        board=board.name,
        text_bytes=elf.symbol("__blobs_start") - flash_base - data_bytes,
        data_bytes=data_bytes,
        bss_bytes=span("__bss_start", "__bss_end"),
        stack_bytes=span("__stack_start", "__stack_end"),
        blob_address=elf.symbol("__blobs_start"),
        blob_room_bytes=span("__blobs_start", "__flash_end"),
        free_ram_bytes=span("__free_ram_start", "__ram_end"),
        tflm_revision=tflm.revision,
        tflm=tflm.title,
        has_messages=PRINTF in elf.symbols,
        kernels=target.kernel_set.name,
    )
