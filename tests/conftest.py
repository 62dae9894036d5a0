"""Fixtures and options of the test suite."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from predictor.errors import MissingDependencyError
from predictor.firmware.registered_tflm import CONFIG_VARIABLE
from predictor.firmware.toolchain import find_toolchain
from predictor.proof import host_check, plan_proof
from predictor.proof.host_runtime import PACKAGES, HostRuntime, is_installed

# No test may depend on how busy the machine is.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


@pytest.fixture(scope="session", autouse=True)
def one_host_runtime() -> Iterator[None]:
    """Outputs of firmware are held against one process: to start one takes as long as most runs."""
    with ExitStack() as stack:
        lent = cache(lambda name: nullcontext(stack.enter_context(HostRuntime(name))))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for user in (host_check, plan_proof):
            patch.setattr(user, "HostRuntime", lent)
        yield


@pytest.fixture(scope="session")
def firmware_tools() -> None:
    """Skips where the compiler of the firmware is missing."""
    try:
        find_toolchain()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def emulation_tools(firmware_tools: None) -> None:
    """Skips where firmware cannot be built or emulated in process."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what the user of this machine registered out of tests, and tests out of that."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path_factory.getbasetemp() / "no settings"))


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A command line that a test calls ends with its signals ignored; the next test's are not."""
    before = {number: signal.getsignal(number) for number in _ENDS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def pytest_configure() -> None:
    # What started the tests may ignore or block signals, as shells do for commands in the
    # background, and so would the programs that tests interrupt.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_IGN:
            is_ctrl_c = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept-golden",
        action="store_true",
        help="write the reports as they are now to tests/golden",
    )
