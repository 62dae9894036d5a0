"""The kernels as a library for other projects: version, licences, an installed CMake package."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kernels.binding import INCLUDE_DIRECTORY, KERNELS_DIRECTORY
from predictor import toml

ROOT = KERNELS_DIRECTORY.parent
LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCES = ("*.c", "*.h", "*.cc", "*.cmake", "CMakeLists.txt", "*.in")


def test_version_is_the_projects() -> None:
    header = (INCLUDE_DIRECTORY / "mn_version.h").read_text()
    numbers = re.findall(r"^#define MN_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.MULTILINE)
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert ".".join(numbers) == toml.load(file)["project"]["version"]


@pytest.mark.parametrize("folder", ["kernels", "firmware"])
def test_every_source_names_its_licence(folder: str) -> None:
    paths = [path for pattern in SOURCES for path in (ROOT / folder).rglob(pattern)]
    assert len(paths) > 30
    without = [path.name for path in paths if LICENCE not in path.read_text().split("\n", 1)[0]]
    assert not without


def _run(*command: object) -> None:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_installed_package(tmp_path: Path) -> None:
    """A project finds the installed library by name and version, calls a kernel, and links no
    other."""
    for program in ("cmake", "cc", "nm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install cmake gcc binutils)")
    prefix, user = tmp_path / "prefix", tmp_path / "user"
    _run("cmake", "-S", KERNELS_DIRECTORY, "-B", tmp_path / "build")
    _run("cmake", "--build", tmp_path / "build", "--target", "mn_kernels")
    _run("cmake", "--install", tmp_path / "build", "--prefix", prefix)
    user.mkdir()
    (user / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\n"
        "project(user LANGUAGES C)\n"
        "find_package(mn_kernels 0.1 REQUIRED)\n"
        "add_executable(user main.c)\n"
        "target_link_libraries(user PRIVATE mn::mn_kernels)\n"
    )
    (user / "main.c").write_text(
        '#include "mn_nnfunctions.h"\n'
        "#if MN_VERSION < MN_MAKE_VERSION(0, 1, 0)\n"
        "#error too old\n"
        "#endif\n"
        "int main(void)\n"
        "{\n"
        "    const mn_activation relu = {0, 127};\n"
        "    int8_t value = -5;\n"
        "    return mn_clamp_s8(&relu, &value, &value, 1) != MN_SUCCESS || value != 0;\n"
        "}\n"
    )
    _run("cmake", "-S", user, "-B", user / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    _run("cmake", "--build", user / "build")
    _run(user / "build" / "user")
    symbols = subprocess.run(
        ["nm", "--defined-only", "--format=just-symbols", str(user / "build" / "user")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert [name for name in symbols if name.startswith("mn_")] == ["mn_clamp_s8"]
