"""Lint, types, and the tests that a change most likely breaks, in ten seconds: ``make quick``.

The change is what differs from the branch's upstream. Test files come by how many imports lie
between them and what changed; tests run in this order until the time is up. ``make test`` runs all.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tools.imports import ROOT, imported_names, module_name, without_packages

SECONDS, LEAST_SECONDS = 4.5, 1.0
"""For the tests and to collect them, and for the tests at least; one that has begun ends."""
MOST_FILES = 8
"""Test files at most: to collect more takes longer than to run them."""
FOLDERS = ("predictor", "nas", "kernels", "truth", "tools", "benchmarks")
SLOW_TESTS = ("browser", "differential", "docs", "emulation", "fuzz", "kernels", "nas", "packaging")
_LEFT_OUT = "not slow and not renode and not toolchain"


def changed_files() -> list[Path]:
    """Files that differ from the upstream branch, or from the last commit where there is none."""
    base = _git("merge-base", "HEAD", "@{upstream}") or ["HEAD"]
    names = _git("diff", "--name-only", "--diff-filter=d", base[0])
    names += _git("ls-files", "--others", "--exclude-standard")
    return [ROOT / name for name in names]


def _git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.split("\n")[:-1] if result.returncode == 0 else []


def nearest_tests(changed: Iterable[Path]) -> list[Path]:
    """Test files that are quick to run, those nearest to the changed files first."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    paths = (*sources, *tests, *(ROOT / "tests").glob("*.py"))
    known = {module_name(path) for path in paths}
    imports = {path: without_packages(known & imported_names(path)) for path in paths}
    distance = dict.fromkeys((path for name in changed for path in _modules(name)), 0)
    reached, steps = set(distance), 0
    while reached:
        steps += 1
        names = {module_name(path) for path in reached}
        reached = {p for p, found in imports.items() if p not in distance and names & found}
        distance |= dict.fromkeys(reached, steps)
    quick = [path for path in tests if path in distance and _is_quick(path)]
    return sorted(quick, key=lambda path: (distance[path], "unit" not in path.parts, path))


def _modules(path: Path) -> Iterator[Path]:
    """The module itself; of a data file, the modules beside it, or in the nearest folder above."""
    if path.suffix == ".py":
        yield path
        return
    for folder in path.parents:
        if folder == ROOT:
            return
        if modules := list(folder.glob("*.py")):
            yield from modules
            return


def _is_quick(path: Path) -> bool:
    return path.relative_to(ROOT / "tests").parts[0] not in SLOW_TESTS


class Deadline:
    """Leaves out the tests that come when the time is up.

    Args:
        seconds: from now on; ``least_seconds`` from the first test on, if that ends later.
    """

    def __init__(self, seconds: float, least_seconds: float = 0.0) -> None:
        self._end, self._least_seconds = time.monotonic() + seconds, least_seconds
        self._has_begun, self.left_out = False, 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        if not self._has_begun:
            self._has_begun = True
            self._end = max(self._end, time.monotonic() + self._least_seconds)
        if time.monotonic() < self._end:
            return None
        self.left_out += 1
        return True


def main() -> int:
    for options in (["check", "-q"], ["format", "-q", "--check"]):
        if code := subprocess.run([_tool("ruff"), *options], cwd=ROOT, check=False).returncode:
            return code
    command = [_tool("mypy"), "--no-error-summary"]
    # Types and tests take as long: one processor each.
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as types:
        code = _run_tests()
        found, _ = types.communicate()
    print(found, end="")
    return code or types.returncode


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _run_tests() -> int:
    tests = nearest_tests(changed_files())[:MOST_FILES]
    if not tests:
        print("no quick test imports what changed")
        return 0
    deadline = Deadline(SECONDS, LEAST_SECONDS)
    code = pytest.main(["-q", "-x", "-m", _LEFT_OUT, *map(str, tests)], plugins=[deadline])
    if deadline.left_out:
        print(f"{deadline.left_out} tests were left for make test")
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else int(code)


if __name__ == "__main__":
    sys.exit(main())
