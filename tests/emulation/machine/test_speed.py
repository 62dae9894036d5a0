"""Counting stays cheap beside Unicorn alone; figures: ``benchmarks/emulation_speed.py``."""

from __future__ import annotations

import pytest

from predictor.emulation import block_counter, unicorn_core

TEXT = (
    '#include "start.h"\n'
    "static int8_t a[1024], b[1024];\nvolatile int32_t sink;\n"
    "__attribute__((noipa)) int32_t dot(const int8_t* x, const int8_t* y, int n) {\n"
    "  int32_t sum = 0;\n  for (int i = 0; i < n; ++i) sum += x[i] * y[i];\n  return sum;\n}\n"
    "int main(void) { for (int k = 0; k < 20000; ++k) sink += dot(a, b, 1024); }\n"
)


class _Uncounted(block_counter.BlockCounter):
    def _attach(self):
        return True


@pytest.mark.slow
def test_counting_costs_less_than_unicorn_itself(make_machine, monkeypatch):
    """The worst case: a loop of five instructions, so one hook for each five."""
    if block_counter.native_library() is None:
        pytest.skip("the extension module is not built: pip install -e .")
    best = {"plain": 0.0, "counted": 0.0}
    for _ in range(3):
        counted = make_machine(TEXT).run()
        best["counted"] = max(best["counted"], counted.instructions / counted.host_s)
        with monkeypatch.context() as patch:
            patch.setattr(unicorn_core, "BlockCounter", _Uncounted)
            plain = make_machine(TEXT).run()
        best["plain"] = max(best["plain"], counted.instructions / plain.host_s)
    assert best["counted"] > 0.4 * best["plain"]
    assert best["counted"] > 120e6
