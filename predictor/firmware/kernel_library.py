"""The project's own kernels as a static library for a core, built once and kept."""

from __future__ import annotations

from pathlib import Path

from predictor.cores.core import Core
from predictor.firmware.cmake import KeptBuild
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class KernelLibrary:
    """``folder`` holds the sources with ``include/``, ``archive`` is the static library."""

    folder: Path
    archive: Path


def kernel_library(toolchain: Toolchain, core: Core, progress: ProgressCallback) -> KernelLibrary:
    """The library for a core.

    Raises:
        EmulationError: the kernels are not installed or could not be built.
    """
    source = shipped_folder("kernels")
    library = KeptBuild(
        source,
        "mn_kernels",
        core.name,
        {"MN_CPU_FLAGS": ";".join(core.compiler_flags)},
        products="libmn_kernels.a",
        read=[source / "CMakeLists.txt", *sorted(source.glob("*/*.[ch]"))],
        trusts_times=True,
    )
    folder = library.folder(toolchain, progress, f"building the kernels for {core.name} (once)")
    return KernelLibrary(source, folder / "libmn_kernels.a")
