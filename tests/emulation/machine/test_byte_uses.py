"""The first and last uses of bytes, apart for each window and each value of the marker."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.emulation.machine import StopReason
from predictor.emulation.unicorn.byte_uses import UNUSED, Segment, Window

PROGRAM = """#include "start.h"
volatile uint32_t marker;
volatile uint8_t data[64] __attribute__((aligned(16)));
int main(void) {
  data[0] = 1;                                     // nothing is recorded yet
  marker = 1;
  for (int i = 0; i < 4; ++i) data[8 + i] = data[i];
  *(volatile uint32_t*)(data + 8) = *(volatile uint32_t*)data;
  marker = 2;
  data[40] = data[8];
  *(volatile uint32_t*)(data + 14) = 7;            // from inside of a window to behind it
  marker = 3;
  data[0] = 2;
}
"""


def rows(uses: np.ndarray) -> dict[int, list[int]]:
    """Of the bytes that were used."""
    return {i: row for i, row in enumerate(uses.tolist()) if row != [UNUSED] * 4}


def test_uses_are_recorded_by_window_and_segment(make_machine, either_counter) -> None:
    machine = make_machine(PROGRAM, "f446re")
    layouts = {1: [Window(0, 4), Window(8, 4)], 2: [Window(8, 8, 4)]}
    segments: list[Segment] = []
    base = machine.symbol("data")
    recorder = machine.record_uses(
        base, base + 64, machine.symbol("marker"), layouts.get, segments.append
    )
    assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL
    recorder.remove()
    first, second = segments
    assert (first.marker, second.marker) == (1, 2)
    # Reads and writes take turns; the words at the end are accesses 8 and 9.
    assert rows(first.uses[0]) == {i: [2 * i, 8, -1, -1] for i in range(4)}
    assert rows(first.uses[1]) == {i: [-1, -1, 2 * i + 1, 9] for i in range(4)}
    assert not rows(first.others)
    assert rows(second.uses[0]) == {0: [0, 0, -1, -1]} | {i: [-1, -1, 2, 2] for i in range(6, 10)}
    assert rows(second.others) == {40: [-1, -1, 1, 1]}


def test_what_a_layout_raises_is_raised(make_machine, either_counter) -> None:
    machine = make_machine(PROGRAM, "f446re")
    base = machine.symbol("data")

    def layout(marker: int) -> None:
        raise LookupError(f"no layout for {marker}")

    machine.record_uses(base, base + 64, machine.symbol("marker"), layout, print)
    with pytest.raises(LookupError, match="no layout for 0"):  # start-up code clears the marker
        machine.run(until_symbol="finished")
