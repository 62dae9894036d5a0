"""Counting stays cheap beside Unicorn alone; figures: ``benchmarks/emulation_speed.py``."""

from __future__ import annotations

import time

import pytest

from predictor.emulation.unicorn import block_counter
from predictor.emulation.unicorn import core as unicorn_core

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
    instructions = make_machine(TEXT).run().instructions
    counted_s, plain_s = [], []
    for _ in range(3):
        counted_s.append(_cpu_seconds(make_machine(TEXT)))
        with monkeypatch.context() as patch:
            patch.setattr(unicorn_core, "BlockCounter", _Uncounted)
            plain_s.append(_cpu_seconds(make_machine(TEXT)))
    assert min(counted_s) < 2.5 * min(plain_s)
    assert instructions / min(counted_s) > 120e6


def _cpu_seconds(machine):
    start = time.process_time()
    machine.run()
    return time.process_time() - start
