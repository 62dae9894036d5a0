"""The libraries under test: the host build and the two emulated cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.binding import CompilerNotFoundError, Library, NativeLibrary, build_shared_library
from kernels.emulated import CORES, EmulatedLibrary, build, in_process
from predictor.firmware.cache import cached
from tests.kernels.sanitizers import build_sanitized

ONLY_LIBRARY = "KERNELS_ONLY_LIBRARY"
"""Environment variable with a host library to test alone, as test_sanitized.py does."""


def built_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """A folder with what was built, which the processes of one run of the tests share."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    try:
        return cached(root / "built" / name, fill)
    except CompilerNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> NativeLibrary:
    """The portable path, every undefined behaviour trapping."""
    if ONLY_LIBRARY in os.environ:
        return NativeLibrary(Path(os.environ[ONLY_LIBRARY]))
    flags = ("-O2", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
    folder = built_once(
        tmp_path_factory,
        "host",
        lambda folder: build_shared_library(folder / "libkernels.so", flags),
    )
    return NativeLibrary(folder / "libkernels.so")


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host build with both sanitizers, for other processes."""
    return built_once(tmp_path_factory, "sanitized", build_sanitized) / "libkernels.so"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The DSP path linked for each core."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")

    def fill(folder: Path) -> None:
        for cpu in CORES:
            build(folder / f"{cpu}.elf", cpu)

    folder = built_once(tmp_path_factory, "emulated", fill)
    return {cpu: folder / f"{cpu}.elf" for cpu in CORES}


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
