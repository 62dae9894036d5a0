"""Models and measurements that are kept outside the repository.

They stand in ``../shared`` beside a checkout where they are available; tests that need them skip
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODELS = SHARED / "models"
TRUTH = SHARED / "truth"

needs_shared = pytest.mark.skipif(
    not TRUTH.is_dir(), reason="measured ground truth (../shared) is not available here"
)


@cache
def truth(name: str) -> dict[str, Any]:
    """A JSON file of measurements."""
    content: dict[str, Any] = json.loads((TRUTH / name).read_text())
    return content


def measured_models(name: str, folder: str = "") -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """(name, path, measurement) of each model in a file of measurements."""
    if not TRUTH.is_dir():
        return
    for model, measurement in truth(name).items():
        yield model, MODELS / folder / model, measurement
