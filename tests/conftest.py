"""Fixtures and options of the test suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from predictor.emulation.host_runtime import PACKAGES, HostRuntime, is_installed


def _runtime(name: str) -> Iterator[HostRuntime]:
    if not is_installed(name):
        pytest.skip(f"the package {PACKAGES[name]} is not installed: pip install {PACKAGES[name]}")
    with HostRuntime(name) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def tflite_micro() -> Iterator[HostRuntime]:
    """TFLM's Python runtime."""
    yield from _runtime("tflite_micro")


@pytest.fixture(scope="session")
def litert() -> Iterator[HostRuntime]:
    """TensorFlow Lite's interpreter."""
    yield from _runtime("litert")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept-golden",
        action="store_true",
        help="write the reports as they are now to tests/golden",
    )
