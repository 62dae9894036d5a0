"""The host build under the address and undefined behaviour sanitizers, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.binding import build_shared_library

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def _runtime() -> str:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed (apt install gcc)")
    command = [compiler, "-print-file-name=libasan.so"]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip("gcc has no address sanitizer here (apt install libasan8)")
    return path


def build_sanitized(folder: Path) -> Path:
    """The kernels for this host with both sanitizers; skips where there are none."""
    _runtime()
    os.environ.setdefault("CC", "gcc")
    return build_shared_library(folder / "libkernels.so", FLAGS)


def sanitized_run(module: str, *arguments: str, **variables: str) -> str:
    """What a Python module prints in a process that can load such a library."""
    environment = os.environ | variables
    environment |= {
        "LD_PRELOAD": _runtime(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(ROOT),
        "PYTHONMALLOC": "malloc",
    }
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout
