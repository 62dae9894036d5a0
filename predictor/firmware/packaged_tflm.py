"""The TFLM that comes with this package: sources from a package registry, built here."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from predictor import toml
from predictor.boards.board import Board
from predictor.cores.core import Core
from predictor.errors import EmulationError, UsageError
from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.cmake import KeptBuild
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.toolchain import ProgressCallback, Toolchain, require_program
from predictor.records import dataclass

_INTERPRETER = Path("tensorflow/lite/micro/micro_interpreter.h")


@dataclass(frozen=True)
class PackagedTflm:
    """TFLM of 2020 with reference kernels: what a package registry has of TFLM's sources.

    It needs nothing but compiler, CMake and cargo. What it runs is that revision, which knows fewer
    operators than today's and takes another arena.
    """

    is_packaged: ClassVar[bool] = True
    kernels: ClassVar[str] = "reference"
    warnings: ClassVar[tuple[str, ...]] = ()

    @property
    def revision(self) -> str:
        return str(_package()["revision"])

    @property
    def title(self) -> str:
        return f"the packaged TFLM {self.revision}"

    def require(self, board: Board, kernels: str) -> None:
        if kernels != self.kernels:
            raise UsageError(
                f"{self.title} has {self.kernels} kernels only; build a TFLM of your own with "
                f"{kernels} and name it with --tflm-dir or predict tflm use "
                "(docs/howto/own-tflm.md)"
            )

    def library(
        self, toolchain: Toolchain, board: Board, kernels: str, progress: ProgressCallback
    ) -> TflmLibrary:
        """The library for a board's core, built once and kept.

        Raises:
            UsageError: it lacks the kernel set.
            MissingDependencyError: cargo, which fetches the package, is missing.
            EmulationError: the package could not be fetched or built.
        """
        self.require(board, kernels)
        root = _fetch(shipped_folder("firmware") / "third_party", progress)
        archive = _built(toolchain, root, board.core.model, progress)
        return TflmLibrary(archive, root, self.revision, self.revision, kernels)


@cache
def _package() -> dict[str, Any]:
    """Name, version and revision of the package with the sources."""
    with (shipped_folder("firmware") / "third_party" / "tfmicro.toml").open("rb") as file:
        return toml.load(file)


def _built(toolchain: Toolchain, root: Path, core: Core, progress: ProgressCallback) -> Path:
    firmware, revision = shipped_folder("firmware"), _package()["revision"]
    library = KeptBuild(
        firmware / "tflm",
        "tflm",
        f"{revision}-{core.name}",
        {"TFLM_ROOT": str(root), "CORE_FLAGS": ";".join(core.program_flags)},
        products="libtflm.a",
        read=[firmware / "tflm" / "CMakeLists.txt", firmware / "cmake" / "core_flags.cmake"],
        trusts_times=True,
    )
    words = f"building TFLM {revision} for {core.name} (once)"
    return library.folder(toolchain, progress, words) / "libtflm.a"


def _fetch(manifest_dir: Path, progress: ProgressCallback) -> Path:
    """Root of the package's TFLM sources, copied into the cache on first use."""
    package = _package()
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
            f"(or name your own TFLM build with --tflm-dir):\n{result.stderr.strip()[-800:]}"
        )
    for package in json.loads(result.stdout)["packages"]:
        if package["name"] == name:
            return Path(package["manifest_path"]).parent
    raise EmulationError(f"cargo does not list {name}: is {manifest_dir}/Cargo.lock altered?")
