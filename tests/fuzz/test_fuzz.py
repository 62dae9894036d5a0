"""Mutated files of all kinds: each is predicted or refused with a reason, within its limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.campaign import faults, files
from tests.fuzz.commands import COMMANDS, Fault, run
from tests.shared_data import SHARED

SHORT, LONG, PARTS = 2_000, 200_000, 20
SEED = 1
_LARGE_BYTES = 30_000
"""Files from this on take seconds each time."""
INDEX = SHARED / "cases" / "robustness"
OPTIONS = (
    {},
    {"kernels": "mn"},
    {"kernels": "reference"},
    {"resolver": "all"},
    {"tflm": "2020.07"},
)


def _words(found: Iterator[tuple[bytes, Fault]]) -> list[str]:
    return [
        f"{fault.kind} in {fault.command} {fault.options}: {fault.message}" for _, fault in found
    ]


def test_files_are_the_same_each_time() -> None:
    first, second = ([content for content, _ in files(50, SEED)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 45


def test_short_campaign() -> None:
    assert _words(faults(SHORT, SEED)) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_long_campaign(part: int) -> None:
    assert _words(faults(LONG // PARTS, 1000 + part)) == []


@pytest.mark.skipif(not INDEX.is_dir(), reason="past faults (../shared) are not available here")
@pytest.mark.parametrize("name", sorted(path.name for path in INDEX.glob("*.tflite")))
def test_past_faults(name: str) -> None:
    content = (INDEX / name).read_bytes()
    commands = dict(COMMANDS)
    chosen = OPTIONS if len(content) < _LARGE_BYTES else OPTIONS[:1]
    found = [
        run(command, commands[command], content, options)
        for options in chosen
        for command in ("json", "text", "optimize")
    ]
    assert [fault for fault in found if fault is not None] == []
