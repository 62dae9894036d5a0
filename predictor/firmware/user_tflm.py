"""A TFLM that its user built with TFLM's own build, read from its sources and libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from predictor.boards.board import Board
from predictor.errors import RevisionError, UsageError
from predictor.firmware.static_library import StaticLibrary, read_static_library
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.tflm_sources import TreeRevision, compared_with, tree_revision
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.memory.revision import kernel_sets, revision_names

LIBRARY_NAMES = ("libtensorflow-microlite.a", "libtflm.a")
HOW_TO_BUILD = "docs/howto/own-tflm.md says how to build one"
_INTERPRETER = Path("tensorflow/lite/micro/micro_interpreter.h")
_REFERENCE = "reference"
_MARKS = {"cmsis_nn": "arm_convolve_wrapper_s8"}
"""A symbol that tells a library's kernel set; a library without any has the reference kernels."""
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

    ``fpu`` is "fpv4", "fpv5" or empty; ``problem`` says why it cannot be linked, if it cannot.
    """

    path: Path
    kernels: str
    architecture: str
    extensions: frozenset[str]
    fpu: str
    is_double: bool
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
        _problem(found),
    )


def _problem(library: StaticLibrary) -> str:
    if _DYNAMIC in library.symbols:
        return "built without TF_LITE_STATIC_MEMORY, with which firmware is built"
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
        libraries: those below ``folder``.
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
    def title(self) -> str:
        return f"TFLM {self.revision} in {self.folder}"

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Why its predictions may not be exact."""
        changed = self.tree.changed
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
        return next(name for name in kernel_sets(self.revision) if name in present)

    def require(self, board: Board, kernels: str) -> None:
        self._select(board, kernels)

    def library(
        self, toolchain: Toolchain, board: Board, kernels: str, progress: ProgressCallback
    ) -> TflmLibrary:
        path = self._select(board, kernels).path
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        return TflmLibrary(path, self.root, self.revision, f"{self.revision}+{digest}", kernels)

    def _select(self, board: Board, kernels: str) -> UserLibrary:
        """The library for a board, of several that for the most of its core's units."""
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
        if fitting[0].problem:
            raise UsageError(f"{fitting[0].path} was {fitting[0].problem}: {HOW_TO_BUILD}")
        return fitting[0]


def _listed(libraries: Iterable[UserLibrary]) -> str:
    return ", ".join(sorted({library.words for library in libraries}))


def read_user_tflm(path: Path, revision: str | None = None) -> UserTflm:
    """The TFLM that the user built with TFLM's own build.

    Args:
        path: TFLM's source tree after the build, a folder inside it, or one library.
        revision: what to predict it by; None reads it from the sources.

    Raises:
        UsageError: no library, one that cannot be read, or no sources.
        RevisionError: its sources are like those of no known revision.
    """
    path = path.expanduser().resolve()
    if not path.exists():
        raise UsageError(f"no folder {path}")
    root = next((p for p in (path, *path.parents) if (p / _INTERPRETER).is_file()), None)
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
    return UserTflm(path, root, tree, tuple(map(read_library, _archives(path))))


def _archives(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    found = sorted(archive for name in LIBRARY_NAMES for archive in path.rglob(name))
    if not found:
        raise UsageError(
            f"{path} holds no {' or '.join(LIBRARY_NAMES)}: build TFLM first ({HOW_TO_BUILD})"
        )
    return found
