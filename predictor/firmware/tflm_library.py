"""TFLM as a static library to link, and where one comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from predictor.boards.board import Board
from predictor.firmware.kernel_library import KernelLibrary
from predictor.firmware.tflm_sources import THIRD_PARTIES
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.records import dataclass

PRINTF = "_Z11MicroPrintfPKcz"
"""What prints TFLM's messages; left out with TF_LITE_STRIP_ERROR_STRINGS (BUILD_TYPE=release)."""
# Third parties whose headers TFLM's headers include.
_INCLUDED = ("flatbuffers/include", "gemmlowp", "ruy")


@dataclass(frozen=True, slots=True)
class TflmLibrary:
    """A library to link.

    Args:
        archive: the static library.
        root: folder that holds ``tensorflow/``.
        revision: of TFLM, by name.
        mark: what the firmware says of it: the revision, and which build of it.
        kernels: "reference", "cmsis_nn", or "mn" with the kernels to link beside it.
        mn_kernels: these kernels.
        is_static: whether it was built with TF_LITE_STATIC_MEMORY.
        is_stripped: whether it was built with TF_LITE_STRIP_ERROR_STRINGS, without messages.
    """

    archive: Path
    root: Path
    revision: str
    mark: str
    kernels: str
    mn_kernels: KernelLibrary | None = None
    is_static: bool = True
    is_stripped: bool = False

    @property
    def is_arduino(self) -> bool:
        """Whether it is laid out for Arduino, whose headers depend on that name."""
        return (self.root / "tensorflow" / "lite" / "micro" / "micro_interpreter.cpp").is_file()

    @property
    def include_dirs(self) -> tuple[Path, ...]:
        """Root and third parties."""
        # The sources of some SDKs name headers relative to the folder above.
        dirs = [self.root, *([self.root.parent] if (self.root / "classifier").is_dir() else ())]
        for party in _INCLUDED:
            places = [self.root / folder / party for folder in THIRD_PARTIES]
            dirs += [place for place in places if place.is_dir()][:1]
        # The sources of 2020 name some headers relative to the folder of all third parties.
        downloads = self.root / THIRD_PARTIES[0]
        return (*dirs, downloads) if downloads.is_dir() else tuple(dirs)


class Tflm(Protocol):
    """A TFLM that firmware can be linked with: the packaged one, or one that its user built."""

    @property
    def revision(self) -> str:
        """Name of the revision that predicts it."""

    @property
    def title(self) -> str:
        """Which TFLM it is, in words."""

    @property
    def is_packaged(self) -> bool:
        """Whether it comes with this package, not from its user."""

    @property
    def kernels(self) -> str:
        """Kernel set that its libraries have, that which firmware links unless told otherwise."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why predictions for it may not be exact."""

    def require(self, board: Board, kernels: str) -> None:
        """Checks that there is a library with a kernel set for a board.

        Raises:
            UsageError: there is none; says what to do.
        """

    def library(
        self, toolchain: Toolchain, board: Board, kernels: str, progress: ProgressCallback
    ) -> TflmLibrary:
        """The library for a board with a kernel set.

        Raises:
            UsageError: it has none.
            MissingDependencyError, EmulationError: it could not be built.
        """
