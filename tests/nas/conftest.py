"""Tests of ``nas`` need TensorFlow; they skip where it is not installed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER not in item.path.parents:
            continue
        # Warnings of TensorFlow's own imports are not this project's.
        item.add_marker(pytest.mark.filterwarnings("default::DeprecationWarning"))
        item.add_marker(pytest.mark.filterwarnings("default::FutureWarning"))
        if find_spec("tensorflow") is None:
            reason = "TensorFlow is not installed: pip install -e '.[nas]'"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def data() -> Any:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from nas.tasks import find_task

    return find_task("digits").data(None, 0, {})
