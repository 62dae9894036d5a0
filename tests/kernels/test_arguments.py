"""Damaged arguments are refused, under the address and undefined behaviour sanitizers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kernels.sanitizers import sanitized_run


def test_fuzzed_arguments(sanitized: Path) -> None:
    """No finding, no crash, and the refusals that the documentation demands."""
    output = sanitized_run("tests.kernels.fuzz_arguments", str(sanitized), "0", "1600")
    counts = re.findall(r"\d+", output)
    assert min(map(int, counts)) > 160, output
