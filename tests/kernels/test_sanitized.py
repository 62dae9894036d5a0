"""The kernels' own tests on the host, no access out of bounds and no undefined behaviour."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from kernels.binding import NativeLibrary, Struct
from tests.kernels.conftest import ONLY_LIBRARY
from tests.kernels.sanitizers import sanitized_run

TESTS = (
    "test_layers.py::test_every_channel_residue",
    "test_layers.py::test_deep_rows",
    "test_others.py",
    "test_values.py",
)
FOLDER = Path(__file__).parent


def test_tests_of_kernels(sanitized: Path) -> None:
    """Other tests, with the sanitized library alone, in one process, as it starts slowly."""
    names = [f"{FOLDER}/{name}" for name in TESTS]
    arguments = ("-x", "-q", "-p", "no:cacheprovider", *names)
    output = sanitized_run("pytest", *arguments, **{ONLY_LIBRARY: str(sanitized)})
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None, output


def test_sanitizers_find_what_they_should(sanitized: Path) -> None:
    """A kernel that reads one element too many ends the process with a finding."""
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        sanitized_run("tests.kernels.test_sanitized", str(sanitized))


def read_too_much(path: Path) -> None:
    """Clamps one element more than there are."""
    elements = 5000
    data, output = np.zeros(elements, np.int8), np.zeros(elements + 1, np.int8)
    NativeLibrary(path).call("mn_clamp_s8", Struct((0, 127)), data, output, elements + 1)


if __name__ == "__main__":
    import sys

    read_too_much(Path(sys.argv[1]))
