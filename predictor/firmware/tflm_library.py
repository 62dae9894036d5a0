"""TFLM as a static library: built from the package that carries its sources, or the user's own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.cores.core import Core
from predictor.errors import EmulationError, UsageError
from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.kernel_library import KernelLibrary
from predictor.firmware.toolchain import (
    PREFIX,
    ProgressCallback,
    Toolchain,
    build_with_cmake,
    require_program,
)

USER_REVISION = "user-"
"""Begins the revision of libraries that users built."""
LIBRARY_NAMES = ("libtensorflow-microlite.a", "libtflm.a")
_INTERPRETER = Path("tensorflow/lite/micro/micro_interpreter.h")
_DOWNLOADS = Path("tensorflow/lite/micro/tools/make/downloads")
# Third parties whose headers TFLM's headers include, where its Makefile and its tree generator
# put them.
_THIRD_PARTIES = ("flatbuffers/include", "gemmlowp", "ruy")


@dataclass(frozen=True, slots=True)
class TflmLibrary:
    """A library to link.

    Args:
        archive: the static library.
        root: folder that holds ``tensorflow/``.
        include_dirs: root and third parties.
        revision: name of the arena profile, or a mark of the user's build.
        kernels: "reference", "cmsis_nn", or "ours" with the kernels to link beside it.
        ours: these kernels.
    """

    archive: Path
    root: Path
    include_dirs: tuple[Path, ...]
    revision: str
    kernels: str
    ours: KernelLibrary | None = None


def packaged_library(
    toolchain: Toolchain, firmware: Path, core: Core, progress: ProgressCallback
) -> TflmLibrary:
    """The library of the packaged sources for a core, built once and kept.

    Raises:
        MissingDependencyError: cargo, which fetches the package, is missing.
        EmulationError: the package could not be fetched or built.
    """
    with (firmware / "third_party" / "tfmicro.toml").open("rb") as file:
        package = toml.load(file)
    root = _fetch(firmware / "third_party", package, progress)
    flags = ";".join(core.compiler_flags)
    recipe = [firmware / "tflm" / "CMakeLists.txt", *sorted((firmware / "cmake").iterdir())]
    digest = hashlib.sha256(f"{toolchain.version} {flags} {package['version']}".encode())
    for path in recipe:
        digest.update(path.read_bytes())

    def fill(folder: Path) -> None:
        progress(f"building TFLM {package['revision']} for {core.name} (once)")
        build = folder / "build"
        build.mkdir()
        build_with_cmake(
            toolchain,
            firmware / "tflm",
            build,
            firmware / "cmake" / "toolchain-arm-none-eabi.cmake",
            TFLM_ROOT=str(root),
            CORE_FLAGS=flags,
        )
        shutil.move(build / "libtflm.a", folder / "libtflm.a")
        shutil.rmtree(build)

    name = f"{package['revision']}-{core.name}-{digest.hexdigest()[:16]}"
    folder = cached(cache_dir() / "tflm" / name, fill, trusts_times=True)
    return TflmLibrary(
        folder / "libtflm.a", root, _include_dirs(root), package["revision"], "reference"
    )


def _fetch(manifest_dir: Path, package: dict[str, Any], progress: ProgressCallback) -> Path:
    """Root of the package's TFLM sources, copied into the cache on first use."""
    name, version = package["package"], package["version"]

    def fill(folder: Path) -> None:
        cargo = require_program("cargo", "apt install cargo, or see https://rustup.rs")
        progress(f"fetching TFLM's sources (package {name} {version})")
        shutil.copytree(_crate_folder(cargo, manifest_dir, name), folder, dirs_exist_ok=True)

    folder = cached(cache_dir() / "sources" / f"{name}-{version}", fill, trusts_times=True)
    root = folder / str(package["root"])
    if not (root / _INTERPRETER).is_file():
        raise EmulationError(f"package {name} {version} has no {package['root']}/{_INTERPRETER}")
    return root


def _crate_folder(cargo: str, manifest_dir: Path, name: str) -> Path:
    # `cargo metadata` downloads what the lock file names, checks it against the lock's checksums,
    # and tells where it lies. The platform is one for which few helper packages are needed.
    command = [cargo, "metadata", "--locked", "--format-version", "1"]
    command += ["--filter-platform", "thumbv7em-none-eabihf"]
    command += ["--manifest-path", str(manifest_dir / "Cargo.toml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EmulationError(
            f"cargo could not fetch the package {name}, which takes a network connection once "
            f"(or name your own TFLM build with --tflm):\n{result.stderr.strip()[-800:]}"
        )
    for package in json.loads(result.stdout)["packages"]:
        if package["name"] == name:
            return Path(package["manifest_path"]).parent
    raise EmulationError(f"cargo does not list {name}: is {manifest_dir}/Cargo.lock altered?")


def _include_dirs(root: Path) -> tuple[Path, ...]:
    dirs = [root]
    for party in _THIRD_PARTIES:
        places = [root / _DOWNLOADS / party, root / "third_party" / party]
        dirs += [place for place in places if place.is_dir()][:1]
    # The sources of 2020 name some headers relative to the folder of all third parties.
    return (*dirs, root / _DOWNLOADS) if (root / _DOWNLOADS).is_dir() else tuple(dirs)


def user_library(folder: Path, core: str) -> TflmLibrary:
    """The library that the user built with TFLM's own build.

    Args:
        folder: TFLM's source tree after the build, or a folder inside it that holds one library.
        core: to choose among several libraries by the name of their folder.

    Raises:
        UsageError: no library, several that fit, or no headers.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}")
    root = next((p for p in (folder, *folder.parents) if (p / _INTERPRETER).is_file()), None)
    if root is None:
        raise UsageError(
            f"neither {folder} nor a folder above holds {_INTERPRETER}: name TFLM's source tree"
        )
    archive = _find_archive(folder, core)
    revision = USER_REVISION + hashlib.sha256(archive.read_bytes()).hexdigest()[:12]
    return TflmLibrary(archive, root, _include_dirs(root), revision, _kernel_set(archive))


def _find_archive(folder: Path, core: str) -> Path:
    archives = sorted(path for name in LIBRARY_NAMES for path in folder.rglob(name))
    fitting = [path for path in archives if core in str(path.relative_to(folder))]
    if len(archives) == 1:
        return archives[0]
    if len(fitting) == 1:
        return fitting[0]
    if not archives:
        raise UsageError(f"{folder} holds no {' or '.join(LIBRARY_NAMES)}: build TFLM first")
    listed = "\n".join(f"  {path.parent}" for path in fitting or archives)
    raise UsageError(f"{folder} holds several libraries; name the folder of one:\n{listed}")


def _kernel_set(archive: Path) -> str:
    result = subprocess.run([f"{PREFIX}nm", archive], capture_output=True, text=True, check=False)
    return "cmsis_nn" if "arm_convolve_wrapper_s8" in result.stdout else "reference"
