"""The tests that ``make quick`` chooses, and when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.imports import ROOT, imported_names
from tools.quick import MOST_FILES, SLOW_TESTS, Deadline, nearest_tests


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
    assert nearest in found[:MOST_FILES]
    assert not [name for name in found if name.split("/")[1] in SLOW_TESTS]
    assert len(found) == len(set(found))


def test_prose_has_no_tests() -> None:
    assert nearest_tests([ROOT / "CHANGELOG.md"]) == []


def test_no_test_starts_when_the_time_is_up() -> None:
    deadline, late = Deadline(1e9), Deadline(0.0)
    assert deadline.pytest_runtest_protocol() is None
    assert Deadline(0.0, least_seconds=1e9).pytest_runtest_protocol() is None
    assert late.pytest_runtest_protocol() is True
    assert (deadline.left_out, late.left_out) == (0, 1)


def test_imports_are_found_wherever_they_stand_but_in_text(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""Text:\n\nfrom no import one\n"""\n'
        "import a.b\nfrom c import (\n    d,\n    e as f,\n)\nfrom g import h, i\n"
        'def function():\n    r"""import j\n    """\n    from .k import m\n    import n as o\n'
        "x = 'from p import q'\n"
    )
    names = ("a.b", "c", "c.d", "c.e", "g", "g.h", "g.i", "k", "k.m", "n")
    assert imported_names(path) == set(names)
