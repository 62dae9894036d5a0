"""Programs that are linked with sets of operators to learn what each operator adds."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from predictor.boards.board import Board
from predictor.cores.core import Core
from predictor.firmware import build as firmware_build
from predictor.firmware.cmake import build_with_cmake
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.kernel_library import kernel_library
from predictor.firmware.op_resolver import (
    LinkableOperator,
    linkable_operators,
    operators_header,
    select_operators,
    with_mn_kernels,
)
from predictor.firmware.runner_objects import library_variables
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.target import firmware_target
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.toolchain import find_toolchain, run_logged
from predictor.firmware.user_tflm import read_user_tflm
from predictor.memory.revision import load_revision
from predictor.operators.mn.tables import DROP_IN_LABELS
from tools.code_size.linked_image import Image, pieces

_PROGRAM = Path(__file__).parent / "program"


class Linker(Protocol):
    """Links a program with sets of operators."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All operators, as tables of code sizes call them."""

    def link(self, labels: Iterable[str]) -> Image:
        """The program with these operators."""

    def objects(self) -> dict[str, object]:
        """RAM of interpreter and op resolver, as the table's fields hold it."""


class RunnerLinker:
    """The project's runner on the packaged TFLM.

    Its op resolver has an entry for each kind of operator in the model, one at a time in RAM; the
    interpreter object lies in RAM that the runner takes itself.
    """

    INTERPRETER_BYTES = 176
    RESOLVER_BYTES = 48

    def __init__(self, board: Board, kernels: str, folder: Path) -> None:
        self._board, self._folder = board, folder
        self._toolchain = find_toolchain()
        target = firmware_target(board, kernels=kernels)
        self._library = target.library(self._toolchain, print)
        self._available = target.available_operators(self._library)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(operator.label for operator in self._available)

    def link(self, labels: Iterable[str]) -> Image:
        header = operators_header(select_operators(self._available, labels))
        variables = firmware_build.firmware_variables(
            self._toolchain,
            self._board,
            self._library,
            header,
            firmware_build.DEFAULT_STACK_BYTES,
            print,
        )
        # Under one name for all links: a piece is known by the file that holds it.
        *shared, table = variables["RUNNER_OBJECTS"].split(";")
        own = str(shutil.copy(table, self._folder))
        variables["RUNNER_OBJECTS"] = ";".join([*shared, own])
        firmware_build.compile_programs(
            self._toolchain, self._folder, "0" * 16, self._board, variables
        )
        symbols = ElfImage(self._folder / "runner.elf").symbol
        data_bytes = symbols("__data_end") - symbols("__data_start")
        flash_base = self._board.spans("flash")[0].regions[0].base
        flash_pieces, ram_pieces = pieces(self._folder / "runner.map", self._folder)
        return Image(
            flash_bytes=symbols("__blobs_start") - flash_base,
            ram_bytes=data_bytes + symbols("__bss_end") - symbols("__bss_start"),
            flash_pieces=flash_pieces,
            ram_pieces=ram_pieces,
        )

    def objects(self) -> dict[str, object]:
        return {
            "interpreter_bytes": self.INTERPRETER_BYTES,
            "resolver_bytes": {"fixed": self.RESOLVER_BYTES, "per_operator": 0},
        }


class ProgramLinker:
    """The least program of a product, on a TFLM that the user has built (``program/``).

    Args:
        tflm: folder of a TFLM library without log strings (``BUILD_TYPE=release``).
        kernels: "mn" registers the project's kernels beside the library's.
    """

    _RESOLVER, _INTERPRETER = ".bss.resolver_memory", ".bss.interpreter_memory"

    def __init__(self, core: Core, kernels: str, folder: Path, tflm: Path) -> None:
        self._core, self._folder = core, folder
        self._toolchain = find_toolchain()
        self._library = self._read_library(tflm, kernels)
        self._available = linkable_operators(self._library.root)
        self._drop_in: dict[str, LinkableOperator] = {}
        if self._library.mn_kernels is not None:
            own = with_mn_kernels(self._available, registers_builtin=True)
            self._drop_in = {operator.label: operator for operator in own}
            self._available = with_mn_kernels(self._available, registers_builtin=False)
        self._object_bytes: dict[str, int] = {}
        for file in _PROGRAM.iterdir():
            shutil.copy(file, folder)

    def _read_library(self, folder: Path, kernels: str) -> TflmLibrary:
        """The folder's only library, whatever precision it was compiled for."""
        tflm = read_user_tflm(folder)
        (found,) = tflm.libraries
        library = TflmLibrary(found.path, tflm.root, tflm.revision, tflm.revision, kernels)
        if load_revision(tflm.revision, kernels).kernel_set.on is None:
            return library
        own = kernel_library(self._toolchain, self._core, print)
        return replace(library, mn_kernels=own)

    @property
    def labels(self) -> tuple[str, ...]:
        own = [DROP_IN_LABELS[label] for label in self._drop_in if label in DROP_IN_LABELS]
        return (*(operator.label for operator in self._available), *own)

    def _operator(self, label: str) -> LinkableOperator:
        builtin = {own: name for name, own in DROP_IN_LABELS.items()}.get(label)
        if builtin is not None:
            return self._drop_in[builtin]
        return next(operator for operator in self._available if operator.label == label)

    def link(self, labels: Iterable[str]) -> Image:
        chosen = [self._operator(label) for label in labels]
        (self._folder / "operators.h").write_text(operators_header(chosen), encoding="utf-8")
        build = self._folder / "build"
        if build.is_dir():
            again = ["cmake", "--build", str(build)]
            run_logged(again, build / "build.log", "linking a set of operators")
        else:
            self._configure(build)
        symbols = ElfImage(build / "program.elf").symbol
        flash_pieces, ram_pieces = pieces(build / "program.map", build)
        self._object_bytes = {
            name: ram_pieces.pop(piece)
            for piece in list(ram_pieces)
            for name in (self._RESOLVER, self._INTERPRETER)
            if piece[0] == name
        }
        ram_bytes = symbols("__bss_end") - symbols("__bss_start")
        ram_bytes += symbols("__data_end") - symbols("__data_start")
        return Image(
            flash_bytes=symbols("__flash_end") - symbols("__flash_start"),
            ram_bytes=ram_bytes - sum(self._object_bytes.values()),
            flash_pieces=flash_pieces,
            ram_pieces=ram_pieces,
        )

    def _configure(self, build: Path) -> None:
        build.mkdir()
        firmware = shipped_folder("firmware")
        build_with_cmake(
            self._toolchain,
            self._folder,
            build,
            CORE_FLAGS=";".join(self._core.compiler_flags),
            FIRMWARE_DIR=str(firmware),
            **library_variables(self._library),
        )

    def objects(self) -> dict[str, object]:
        sizes = []
        for count in (1, 2):
            self.link(self.labels[:count])
            sizes.append(self._object_bytes[self._RESOLVER])
        entry = sizes[1] - sizes[0]
        return {
            "interpreter_bytes": self._object_bytes[self._INTERPRETER],
            "resolver_bytes": {"fixed": sizes[0] - entry, "per_operator": entry},
        }
