"""Damaged arguments are refused, under the address and undefined behaviour sanitizers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernels.sanitizers import sanitized_run


@pytest.mark.parametrize("seed", range(4))
def test_fuzzed_arguments(sanitized: Path, seed: int) -> None:
    """No finding, no crash, and the refusals that the documentation demands."""
    output = sanitized_run("tests.kernels.fuzz_arguments", str(sanitized), str(seed), "400")
    counts = re.findall(r"\d+", output)
    assert min(map(int, counts)) > 40, output
