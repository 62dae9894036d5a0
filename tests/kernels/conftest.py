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
def emulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EmulatedLibrary]:
    """The DSP path on each emulated core."""
    directory = tmp_path_factory.mktemp("emulated")
    return {cpu: _in_process(directory / f"{cpu}.elf", cpu) for cpu in CORES}


def _in_process(elf: Path, cpu: str) -> EmulatedLibrary:
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    try:
        return in_process(build(elf, cpu), cpu)
    except CompilerNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def libraries(host: NativeLibrary, request: pytest.FixtureRequest) -> dict[str, Library]:
    """Every library, by a name for messages."""
    if ONLY_LIBRARY in os.environ:
        return {"host": host}
    return {"host": host, **request.getfixturevalue("emulated")}


@pytest.fixture(scope="session")
def tracing(tmp_path_factory: pytest.TempPathFactory) -> EmulatedLibrary:
    """A Cortex-M4, built for itself: recording slows it down."""
    return _in_process(tmp_path_factory.mktemp("tracing") / "kernels.elf", "cortex-m4")
