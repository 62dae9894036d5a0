"""The kernels as a CMake package of sources: found by name and version, linked, called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from predictor.export.folder import write_folder
from predictor.export.kernel_package import package_files
from predictor.export.registrations import kernels_version

MAJOR, MINOR, _ = kernels_version()
_MAIN = """
#include "mn_nnfunctions.h"
int main(void)
{
    const mn_activation relu = {0, 127};
    int8_t value = -5;
    return mn_clamp_s8(&relu, &value, &value, 1) != MN_SUCCESS || value != 0;
}
"""


def _cmake(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["cmake", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A project that asks for the version in its cache variable WANTED."""
    for program in ("cmake", "cc", "c++"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install cmake g++)")
    write_folder(tmp_path / "mcu_predictor", package_files())
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "main.c").write_text(_MAIN)
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\n"
        "project(user LANGUAGES C CXX)\n"
        "find_package(mcu_predictor ${WANTED} REQUIRED)\n"
        "add_executable(user main.c)\n"
        "target_link_libraries(user PRIVATE mcu_predictor::mn_kernels)\n"
        "if(NOT TARGET mcu_predictor::mn_operators)\n"
        "  message(FATAL_ERROR no operators)\n"
        "endif()\n"
    )
    return folder


def configure(user: Path, wanted: str) -> subprocess.CompletedProcess[str]:
    package = f"-Dmcu_predictor_DIR={user.parent / 'mcu_predictor'}"
    return _cmake("-S", user, "-B", user / f"build-{wanted}", package, f"-DWANTED={wanted}")


@pytest.mark.slow
def test_the_package_is_found_and_linked(user: Path) -> None:
    configured = configure(user, f"{MAJOR}.{MINOR}")
    assert configured.returncode == 0, configured.stderr
    build = user / f"build-{MAJOR}.{MINOR}"
    built = _cmake("--build", build)
    assert built.returncode == 0, built.stdout + built.stderr
    assert subprocess.run([build / "user"], check=False).returncode == 0


@pytest.mark.parametrize("wanted", [f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}", f"{MAJOR}.{MINOR}.99"])
def test_other_versions_are_refused(wanted: str, user: Path) -> None:
    configured = configure(user, wanted)
    assert configured.returncode != 0
    assert "compatible with requested version" in configured.stderr
