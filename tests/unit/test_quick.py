"""The tests that ``make quick`` chooses, and when it ends."""

from __future__ import annotations

import pytest

from tools.imports import ROOT
from tools.quick import SLOW_TESTS, Deadline, nearest_tests


@pytest.mark.parametrize(
    ("changed", "nearest"),
    [
        ("predictor/memory/greedy_planner.py", "tests/unit/test_greedy_planner.py"),
        ("predictor/cores/cortex-m4.toml", "tests/unit/test_cores.py"),
        ("predictor/operators/access_order.py", "tests/optimize/test_access_order.py"),
        ("tests/unit/test_toml.py", "tests/unit/test_toml.py"),
        ("tests/networks.py", "tests/unit/test_device_model.py"),
    ],
)
def test_nearest_tests_come_first(changed: str, nearest: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in nearest_tests([ROOT / changed])]
    assert nearest in found[:10]
    assert not [name for name in found if name.split("/")[1] in SLOW_TESTS]
    assert len(found) == len(set(found))


def test_prose_has_no_tests() -> None:
    assert nearest_tests([ROOT / "CHANGELOG.md"]) == []


def test_no_test_starts_when_the_time_is_up() -> None:
    deadline, late = Deadline(1e9), Deadline(0.0)
    assert deadline.pytest_runtest_protocol() is None
    assert late.pytest_runtest_protocol() is True
    assert (deadline.left_out, late.left_out) == (0, 1)
