"""CMake projects for bare-metal Arm: built in a folder, or built once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from predictor.firmware.cache import cache_dir, cached
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.toolchain import ProgressCallback, Toolchain, run_logged
from predictor.records import dataclass

LOG = "build.log"


def _toolchain_file() -> Path:
    return shipped_folder("firmware") / "cmake" / "toolchain-arm-none-eabi.cmake"


def build_with_cmake(toolchain: Toolchain, source: Path, build: Path, **variables: str) -> None:
    """Configures and builds a CMake project in ``build``.

    Raises:
        EmulationError: a step failed; holds the lines that tell why.
    """
    definitions = [
        f"-D{name}={value}" for name, value in (_same_everywhere(build) | variables).items()
    ]
    log = build / LOG
    configure = ["cmake", "-G", toolchain.generator, "-S", str(source), "-B", str(build)]
    configure += [f"-DCMAKE_TOOLCHAIN_FILE={_toolchain_file()}", *definitions]
    run_logged(configure, log, f"configuring {source.name}")
    jobs = str(os.cpu_count() or 1)
    run_logged(["cmake", "--build", str(build), "--parallel", jobs], log, f"building {source.name}")


def _same_everywhere(build: Path) -> dict[str, str]:
    """Flags that keep the name of the folder, which is another each time, out of what is built.

    One that a shell does not take as it is stays in its debug information.
    """
    flag = f"-ffile-prefix-map={build}=build"
    if shlex.quote(flag) != flag:
        return {}
    return dict.fromkeys(("CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS", "CMAKE_ASM_FLAGS"), flag)


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


@dataclass(frozen=True, slots=True)
class KeptBuild:
    """A CMake project of this package that is built once for each purpose, and kept in the cache.

    Args:
        source: its folder.
        kind: folder of the cache for its builds.
        name: what this build is for, in the name of its folder.
        variables: of CMake.
        products: pattern of the files to keep.
        read: the files of this package that it depends on, beside compiler and variables.
        generated: texts of files that it finds in its build folder, by name.
        trusts_times: as :func:`predictor.firmware.cache.cached` takes it.
    """

    source: Path
    kind: str
    name: str
    variables: Mapping[str, str]
    products: str
    read: Sequence[Path]
    generated: Mapping[str, str] = field(default_factory=dict)
    trusts_times: bool = False

    def folder(self, toolchain: Toolchain, progress: ProgressCallback, words: str) -> Path:
        """The folder with the products, which are built if they are not there.

        Args:
            words: tell ``progress`` of a build, which takes long.

        Raises:
            EmulationError: the build failed; holds the lines that tell why.
        """

        def build(work: Path) -> None:
            progress(words)
            for name, text in self.generated.items():
                (work / name).write_text(text, encoding="utf-8")
            build_with_cmake(toolchain, self.source, work, **self.variables)

        return cached(
            cache_dir() / self.kind / f"{self.name}-{self._digest(toolchain)}",
            lambda folder: fill_with_build(folder, build, [self.products]),
            trusts_times=self.trusts_times,
        )

    def _digest(self, toolchain: Toolchain) -> str:
        texts = (toolchain.version, *self.variables.items(), *self.generated.items())
        digest = hashlib.sha256(repr(texts).encode())
        for path in (_toolchain_file(), *self.read):
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]
