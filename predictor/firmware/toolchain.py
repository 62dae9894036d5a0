"""The programs that build firmware."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from predictor.errors import EmulationError, MissingDependencyError
from predictor.processes import TiedProcess
from predictor.records import dataclass

PREFIX = "arm-none-eabi-"
ProgressCallback = Callable[[str], None]

_APT_COMPILER = (
    "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib"
)
_OLDEST_CMAKE = (3, 16)
_TELLING = re.compile(r"error: |CMake Error|overflowed by|undefined reference|multiple definition")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Compiler and build programs. ``version`` belongs into each cache key."""

    version: str
    generator: str


@lru_cache(maxsize=1)
def find_toolchain() -> Toolchain:
    """The compiler and CMake on the path.

    Raises:
        MissingDependencyError: one is missing or too old; holds the command that installs it.
    """
    compiler = require_program(f"{PREFIX}g++", _APT_COMPILER)
    require_program("cmake", "apt install cmake")
    found = re.search(r"(\d+)\.(\d+)", _output("cmake", "--version"))
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_CMAKE:
        raise MissingDependencyError(
            "building firmware needs CMake 3.16 or later: pip install cmake"
        )
    # Debian packs the C++ library apart from the compiler; without it this prints the bare name.
    if not os.path.isabs(_output(compiler, "-print-file-name=libstdc++.a")):
        raise MissingDependencyError(
            f"{PREFIX}g++ has no C++ library: apt install libstdc++-arm-none-eabi-newlib"
        )
    if shutil.which("ninja"):
        generator = "Ninja"
    else:
        require_program("make", "apt install ninja-build")
        generator = "Unix Makefiles"
    return Toolchain(_output(compiler, "--version").splitlines()[0], generator)


def require_program(name: str, install: str) -> str:
    """Path of a program; MissingDependencyError with the install command if there is none."""
    path = shutil.which(name)
    if path is None:
        raise MissingDependencyError(f"building firmware needs {name}: {install}")
    return path


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def run_logged(command: Sequence[str], log: Path, what: str) -> None:
    """Runs a build step; its output goes to ``log``.

    Raises:
        EmulationError: it failed; holds the lines that tell why.
    """
    with log.open("ab") as file:
        step = TiedProcess(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # Compilers that are killed leave their files with the log, in a folder that goes.
            env={**os.environ, "TMPDIR": str(log.parent.resolve())},
        )
        try:
            returncode = step.wait()
        except BaseException:
            step.end()
            raise
    if returncode == 0:
        return
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if _TELLING.search(line)]
    raise EmulationError(f"{what} failed:\n" + "\n".join((telling or lines)[-12:]))
