"""The limits find what hangs, and nothing else on a machine that is slow or busy."""

from __future__ import annotations

import time

import pytest

from tests.fuzz import limits
from tests.fuzz.limits import CPU_S, OverTimeError, limited

_SHORT_S = 0.05


def _work(cpu_s: float) -> None:
    end = time.process_time() + cpu_s
    while time.process_time() < end:
        pass


def test_a_hang_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "reference_s", lambda: 0.0)
    with pytest.raises(OverTimeError, match=r"test_limits\.py"), limited(_SHORT_S):
        _work(3600)


def test_a_slow_machine_has_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of three times the limit passes where the reference takes five times as long."""
    asked: list[float] = []

    def slow_s() -> float:
        asked.append(time.process_time())
        return 5 * CPU_S / limits.REFERENCES

    monkeypatch.setattr(limits, "reference_s", slow_s)
    with limited(_SHORT_S):
        _work(3 * _SHORT_S)
    assert len(asked) == 1
    with pytest.raises(OverTimeError), limited(_SHORT_S):
        _work(3600)


def test_too_much_memory_is_an_error() -> None:
    with pytest.raises(MemoryError), limited():
        bytearray(2 * limits.MEMORY_BYTES)
