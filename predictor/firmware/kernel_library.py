"""The project's own kernels as a static library for a core, built once and kept."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from predictor.cores.core import Core
from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.toolchain import ProgressCallback, Toolchain, build_with_cmake


@dataclass(frozen=True, slots=True)
class KernelLibrary:
    """``folder`` holds the sources with ``include/``, ``archive`` is the static library."""

    folder: Path
    archive: Path


def kernel_library(
    toolchain: Toolchain, firmware: Path, core: Core, progress: ProgressCallback
) -> KernelLibrary:
    """The library for a core.

    Raises:
        EmulationError: the kernels are not installed or could not be built.
    """
    source = shipped_folder("kernels")
    flags = ";".join(core.compiler_flags)
    digest = hashlib.sha256(f"{toolchain.version} {flags}".encode())
    for path in (source / "CMakeLists.txt", *sorted(source.glob("*/*.[ch]"))):
        digest.update(path.read_bytes() + b"\0")

    def fill(folder: Path) -> None:
        progress(f"building the kernels for {core.name} (once)")
        build = folder / "build"
        build.mkdir()
        toolchain_file = firmware / "cmake" / "toolchain-arm-none-eabi.cmake"
        build_with_cmake(toolchain, source, build, toolchain_file, MN_CPU_FLAGS=flags)
        shutil.move(build / "libmn_kernels.a", folder / "libmn_kernels.a")
        shutil.rmtree(build)

    name = f"{core.name}-{digest.hexdigest()[:16]}"
    folder = cached(cache_dir() / "mn_kernels" / name, fill, trusts_times=True)
    return KernelLibrary(source, folder / "libmn_kernels.a")
