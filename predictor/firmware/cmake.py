"""CMake projects for bare-metal Arm: built in a folder, or built once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.toolchain import Toolchain, run_logged

LOG = "build.log"


def _toolchain_file() -> Path:
    return shipped_folder("firmware") / "cmake" / "toolchain-arm-none-eabi.cmake"


def build_with_cmake(toolchain: Toolchain, source: Path, build: Path, **variables: str) -> None:
    """Configures and builds a CMake project in ``build``.

    Raises:
        EmulationError: a step failed; holds the lines that tell why.
    """
    definitions = [f"-D{name}={value}" for name, value in variables.items()]
    log = build / LOG
    configure = ["cmake", "-G", toolchain.generator, "-S", str(source), "-B", str(build)]
    configure += [f"-DCMAKE_TOOLCHAIN_FILE={_toolchain_file()}", *definitions]
    run_logged(configure, log, f"configuring {source.name}")
    jobs = str(os.cpu_count() or 1)
    run_logged(["cmake", "--build", str(build), "--parallel", jobs], log, f"building {source.name}")


def fill_with_build(folder: Path, build: Callable[[Path], None], products: Iterable[str]) -> None:
    """Fills ``folder`` with what a build leaves in a folder of its own, and its log.

    Args:
        products: patterns of the files to keep.
    """
    work = folder / "build"
    work.mkdir()
    build(work)
    for path in (*(path for pattern in products for path in work.rglob(pattern)), work / LOG):
        shutil.move(path, folder / path.name)
    shutil.rmtree(work)


def kept_build(
    toolchain: Toolchain,
    source: Path,
    kind: str,
    name: str,
    variables: Mapping[str, str],
    *,
    products: str,
    read: Iterable[Path],
    started: Callable[[], None],
    trusts_times: bool = False,
) -> Path:
    """The folder of the cache with what a CMake project of this package builds, filled once.

    Args:
        kind: folder of the cache for builds of this project.
        name: what the build is for, in the name of its folder.
        variables: of CMake.
        products: pattern of the files to keep.
        read: the files of this package that the build depends on, beside compiler and variables.
        started: called before a build, which takes long.
        trusts_times: as :func:`predictor.firmware.cache.cached` takes it.

    Raises:
        EmulationError: the build failed; holds the lines that tell why.
    """
    digest = hashlib.sha256(f"{toolchain.version} {dict(variables)}".encode())
    for path in (_toolchain_file(), *read):
        digest.update(path.read_bytes() + b"\0")

    def build(work: Path) -> None:
        started()
        build_with_cmake(toolchain, source, work, **variables)

    return cached(
        cache_dir() / kind / f"{name}-{digest.hexdigest()[:16]}",
        lambda folder: fill_with_build(folder, build, [products]),
        trusts_times=trusts_times,
    )
