"""Fixtures and options of the test suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host_runtime import HostRuntime, host_runtime


@pytest.fixture(scope="session")
def tflite_micro() -> Iterator[HostRuntime]:
    """TFLM's Python runtime."""
    with host_runtime("tflite_micro") as runtime:
        yield runtime


@pytest.fixture(scope="session")
def litert() -> Iterator[HostRuntime]:
    """TensorFlow Lite's interpreter."""
    with host_runtime("litert") as runtime:
        yield runtime


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept-golden",
        action="store_true",
        help="write the reports as they are now to tests/golden",
    )
