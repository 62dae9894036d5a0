"""Damaged arguments are refused, under the address and undefined behaviour sanitizers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.binding import build_shared_library

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def _sanitizer_runtime() -> str:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed (apt install gcc)")
    command = [compiler, "-print-file-name=libasan.so"]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip("gcc has no address sanitizer here (apt install libasan8)")
    return path


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host build with both sanitizers."""
    runtime = _sanitizer_runtime()
    assert runtime
    path = tmp_path_factory.mktemp("sanitized") / "libkernels.so"
    os.environ.setdefault("CC", "gcc")
    return build_shared_library(path, SANITIZE)


@pytest.mark.parametrize("seed", range(4))
def test_fuzzed_arguments(sanitized: Path, seed: int) -> None:
    """No finding, no crash, and the refusals that the documentation demands."""
    environment = os.environ | {
        "LD_PRELOAD": _sanitizer_runtime(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(ROOT),
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "tests.kernels.fuzz_arguments"]
    result = subprocess.run(
        [*command, str(sanitized), str(seed), "400"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    counts = re.findall(r"\d+", result.stdout)
    assert min(map(int, counts)) > 40, result.stdout
