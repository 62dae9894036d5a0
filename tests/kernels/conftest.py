"""The libraries under test: the host build and the two emulated cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernels.binding import CompilerNotFoundError, Library, NativeLibrary, build_shared_library
from kernels.emulated import CORES, EmulatedLibrary, build, in_process
from tests.kernels.sanitizers import build_sanitized

ONLY_LIBRARY = "KERNELS_ONLY_LIBRARY"
"""Environment variable with a host library to test alone, as test_sanitized.py does."""


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> NativeLibrary:
    """The portable path, every undefined behaviour trapping."""
    if ONLY_LIBRARY in os.environ:
        return NativeLibrary(Path(os.environ[ONLY_LIBRARY]))
    path = tmp_path_factory.mktemp("kernels") / "libkernels.so"
    flags = ("-O2", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
    try:
        return NativeLibrary(build_shared_library(path, flags))
    except CompilerNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host build with both sanitizers, for other processes."""
    return build_sanitized(tmp_path_factory.mktemp("sanitized"))


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The DSP path linked for each core."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    directory = tmp_path_factory.mktemp("emulated")
    try:
        return {cpu: build(directory / f"{cpu}.elf", cpu) for cpu in CORES}
    except CompilerNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def emulated(programs: dict[str, Path]) -> dict[str, EmulatedLibrary]:
    """The DSP path on each emulated core."""
    return {cpu: in_process(program, cpu) for cpu, program in programs.items()}


@pytest.fixture(scope="session")
def libraries(host: NativeLibrary, request: pytest.FixtureRequest) -> dict[str, Library]:
    """Every library, by a name for messages."""
    if ONLY_LIBRARY in os.environ:
        return {"host": host}
    return {"host": host, **request.getfixturevalue("emulated")}


@pytest.fixture(scope="session")
def tracing(programs: dict[str, Path]) -> EmulatedLibrary:
    """A Cortex-M4 for itself: recording slows it down."""
    return in_process(programs["cortex-m4"], "cortex-m4")
