"""A TFLM that its user built with TFLM's own build, read from its sources and libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from predictor.boards.board import Board
from predictor.errors import RevisionError, UsageError
from predictor.firmware.static_library import StaticLibrary, read_static_library
from predictor.firmware.tflm_library import PRINTF, TflmLibrary
from predictor.firmware.tflm_sources import (
    TreeRevision,
    compared_with,
    nearest_by_operators,
    tree_revision,
)
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.memory.revision import kernel_sets, load_revision, revision_names
from predictor.records import dataclass

LIBRARY_NAMES = (
    "libtensorflow-microlite.a",
    "libtflm.a",
    "libpico-tflmicro.a",
    "libesp-tflite-micro.a",
    "TensorFlowLite.a",
    "Arduino_TensorFlowLite.a",
    "libedge-impulse-sdk.a",
)
"""What TFLM's own builds and those of who ships it call their libraries."""
HOW_TO_BUILD = "docs/howto/own-tflm.md says how to build one"
_INTERPRETER = Path("tensorflow/lite/micro/micro_interpreter.h")
_INSIDE = ("src", "edge-impulse-sdk")
"""Folders in which libraries for Arduino and the Pico, and exported projects, hold it."""
_REFERENCE = "reference"
_MARKS = {"cmsis_nn": "arm_convolve_wrapper_s8", "esp_nn": "esp_nn_add_elementwise_s8_ansi"}
"""A symbol that tells a library's kernel set; a library without any has the reference kernels."""
_LOG = Path("tensorflow/lite/micro/micro_log.h")
"""The header of PRINTF, which TFLM of 2020 lacks."""
_DYNAMIC = "TfLiteTensorRealloc"
"""A function that TFLM has without TF_LITE_STATIC_MEMORY alone."""
_UNITS = ("", "fpv4", "fpv5")
"""Floating point units of Cortex-M; each runs the code for those before it."""
_BASE = frozenset({"armv6-m", "armv8-m.base"})
_MAIN = _BASE | {"armv7-m", "armv7e-m", "armv8-m.main"}
_RUNS = {
    "armv6-m": frozenset({"armv6-m"}),
    "armv7-m": frozenset({"armv6-m", "armv7-m"}),
    "armv7e-m": frozenset({"armv6-m", "armv7-m", "armv7e-m"}),
    "armv8-m.base": _BASE,
    "armv8-m.main": _MAIN,
    "armv8.1-m.main": _MAIN | {"armv8.1-m.main"},
}
"""Architectures whose code each runs, as far as it has the extensions that the code uses."""
_MAX_LISTED = 4


@dataclass(frozen=True, slots=True)
class UserLibrary:
    """One library of a tree: its kernel set, and for which cores it was compiled.

    ``fpu`` is "fpv4", "fpv5" or empty; ``is_static``: whether it was built with
    TF_LITE_STATIC_MEMORY, ``has_messages``: whether it prints any; ``problem`` says why it cannot
    be linked, if it cannot.
    """

    path: Path
    kernels: str
    architecture: str
    extensions: frozenset[str]
    fpu: str
    is_double: bool
    is_static: bool = True
    has_messages: bool = True
    problem: str = ""

    def is_for(self, board: Board) -> bool:
        """Whether the board's core runs the code, with the extensions that its kernels have
        variants for: a prediction takes those of the core."""
        core = board.core.model
        unit, _, kind = core.fpu.partition("-")
        return (
            self.architecture in _RUNS.get(core.architecture, frozenset())
            and self.extensions == core.extensions
            and self.unit <= (_UNITS.index(unit) if unit in _UNITS else 0)
            and not (self.is_double and kind.startswith("sp"))
        )

    @property
    def unit(self) -> int:
        return _UNITS.index(self.fpu)

    @property
    def words(self) -> str:
        parts = [self.architecture or "an unknown core", *sorted(self.extensions)]
        if self.fpu:
            parts.append(f"{self.fpu}{'-d16' if self.is_double else '-sp-d16'}")
        return f"{self.kernels} kernels for {' + '.join(parts)}"


def read_library(path: Path) -> UserLibrary:
    """What a library holds.

    Raises:
        UsageError: it is not one for Arm. MissingDependencyError: pyelftools is missing.
    """
    found = read_static_library(path)
    marked = (kernels for kernels, mark in _MARKS.items() if mark in found.symbols)
    return UserLibrary(
        path,
        next(marked, _REFERENCE),
        found.architecture,
        found.extensions,
        found.fpu,
        found.is_double,
        _DYNAMIC not in found.symbols,
        PRINTF in found.symbols,
        _problem(found),
    )


def _problem(library: StaticLibrary) -> str:
    if library.fpu and not library.is_hard_float:
        return "built without -mfloat-abi=hard, with which firmware is built"
    return ""


@dataclass(frozen=True)
class UserTflm:
    """A TFLM of the user's.

    Attributes:
        folder: what the user named: the source tree, or a folder or a library in it.
        root: the folder that holds ``tensorflow/``.
        tree: the revision that its sources are, and which of them differ.
        libraries: those below ``folder``; none where it was not built yet.
    """

    folder: Path
    root: Path
    tree: TreeRevision
    libraries: tuple[UserLibrary, ...]

    is_packaged: ClassVar[bool] = False

    @property
    def revision(self) -> str:
        return self.tree.name

    @property
    def is_static(self) -> bool:
        """Whether predictions are for a build with TF_LITE_STATIC_MEMORY."""
        return load_revision(self.revision).is_static

    @property
    def title(self) -> str:
        return f"TFLM {self.revision} in {self.folder}"

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Why its predictions may not be exact."""
        changed = self.tree.changed
        if not self.tree.sources:
            return (
                f"no sources lie about {self.folder}: TFLM {self.revision} is the nearest that is "
                "known by its operators alone; figures may be off",
            )
        if not changed:
            return ()
        names = ", ".join(changed[:_MAX_LISTED]) + (", ..." if len(changed) > _MAX_LISTED else "")
        return (
            f"{len(changed)} of {self.tree.sources} sources that predictions mirror are not those "
            f"of TFLM {self.revision} in {self.root} ({names}): figures may be off",
        )

    @cached_property
    def kernels(self) -> str:
        present = {library.kernels for library in self.libraries}
        known = kernel_sets(self.revision)
        return next((name for name in known if name in present), known[0])

    def require(self, board: Board, kernels: str) -> None:
        self._select(board, kernels)

    def library(
        self, toolchain: Toolchain, board: Board, kernels: str, progress: ProgressCallback
    ) -> TflmLibrary:
        found = self._select(board, kernels)
        digest = hashlib.sha256(found.path.read_bytes()).hexdigest()[:12]
        return TflmLibrary(
            found.path,
            self.root,
            self.revision,
            f"{self.revision}+{digest}",
            kernels,
            is_static=self.is_static,
            is_stripped=not found.has_messages and (self.root / _LOG).is_file(),
        )

    def _select(self, board: Board, kernels: str) -> UserLibrary:
        """The library for a board, of several that for the most of its core's units."""
        if not self.libraries:
            raise UsageError(f"{self.folder} holds no library to link: {HOW_TO_BUILD}")
        usable = [library for library in self.libraries if library.is_for(board)]
        if not usable:
            raise UsageError(
                f"{self.folder} has no library for the {board.core.name} of {board.name}, "
                f"only {_listed(self.libraries)}: {HOW_TO_BUILD}"
            )
        fitting = [library for library in usable if library.kernels == kernels]
        if not fitting:
            raise UsageError(
                f"{self.folder} was built with {_listed(usable)}, not with {kernels} kernels: "
                f"{HOW_TO_BUILD}"
            )
        best = max(library.unit for library in fitting)
        fitting = [library for library in fitting if library.unit == best]
        if len(fitting) > 1:
            paths = "\n".join(f"  {library.path.parent}" for library in fitting)
            raise UsageError(
                f"{self.folder} holds several libraries; name the folder of one:\n{paths}"
            )
        if not (self.root / _INTERPRETER).is_file():
            raise UsageError(f"{self.folder} lacks TFLM's headers, which firmware needs")
        if fitting[0].problem:
            raise UsageError(f"{fitting[0].path} was {fitting[0].problem}: {HOW_TO_BUILD}")
        if fitting[0].is_static != self.is_static:
            how = "with" if self.is_static else "without"
            raise UsageError(
                f"{fitting[0].path} was not built {how} TF_LITE_STATIC_MEMORY, as TFLM "
                f"{self.revision} is: {HOW_TO_BUILD}"
            )
        return fitting[0]


def _listed(libraries: Iterable[UserLibrary]) -> str:
    return ", ".join(sorted({library.words for library in libraries}))


def read_user_tflm(path: Path, revision: str | None = None) -> UserTflm:
    """The TFLM that the user built with TFLM's own build.

    Args:
        path: TFLM's source tree, as its maker ships it or after the build, a folder inside it, or
            one library.
        revision: what to predict it by; None reads it from the sources.

    Raises:
        UsageError: a library that cannot be read, or no sources.
        RevisionError: its sources are like those of no known revision.
    """
    path = path.expanduser().resolve()
    if not path.exists():
        raise UsageError(f"no folder {path}")
    root = _root(path)
    if root is None and path.is_file():
        return _of_library(path, revision)
    if root is None:
        raise UsageError(
            f"neither {path} nor a folder above holds {_INTERPRETER}: name TFLM's source tree"
        )
    tree = tree_revision(root)
    if revision is not None and (tree is None or tree.name != revision):
        if tree is not None and not tree.changed:
            raise RevisionError(f"the TFLM in {root} is {tree.name}, not {revision}")
        tree = compared_with(revision, root)
    if tree is None:
        raise RevisionError(
            f"the TFLM in {root} is like none that predict knows ({', '.join(revision_names())}); "
            "say with --tflm which of them is nearest"
        )
    libraries = tuple(map(read_library, _archives(path)))
    if revision is None and libraries and all(library.is_static for library in libraries):
        tree = tree.with_static_memory()
    return UserTflm(path, root, tree, libraries)


def _of_library(path: Path, revision: str | None) -> UserTflm:
    """A library without its sources: what its operators tell."""
    symbols, library = read_static_library(path).symbols, read_library(path)
    tree = TreeRevision(revision or nearest_by_operators(symbols), 0, ())
    if revision is None and library.is_static:
        tree = tree.with_static_memory()
    return UserTflm(path, path.parent, tree, (library,))


def _root(path: Path) -> Path | None:
    """The folder with ``tensorflow/`` that holds a path, or lies below it as its maker ships it."""
    above = next((p for p in (path, *path.parents) if (p / _INTERPRETER).is_file()), None)
    below = (path / folder for folder in _INSIDE if (path / folder / _INTERPRETER).is_file())
    return above or next(below, None)


def _archives(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    return sorted(archive for name in LIBRARY_NAMES for archive in path.rglob(name))
