"""Waits for the flash: words that no cache has, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.boards.board import find_board
from predictor.boards.flash_interface import FlashInterface, FlashTiming, find_interface
from predictor.emulation.cycles import FlashCycles
from predictor.emulation.machine import StopReason
from predictor.emulation.unicorn.pipeline_counter import native_library

pytestmark = pytest.mark.skipif(native_library() is None, reason="no extension module")

WAITS, WORD_BYTES = 5, 16
NO_CACHE = FlashInterface(WORD_BYTES, 0, WORD_BYTES, 0, WORD_BYTES, prefetches=False)
PROGRAM = """#include "start.h"
volatile uint32_t marker;
__attribute__((aligned(32))) const uint32_t table[256] = {1};
__attribute__((aligned(32))) volatile uint32_t variables[256];
/* Word by word over a memory; the two loops lie in one word of the flash. */
void sweep(const volatile uint32_t* from, uint32_t count);
void weave(const volatile uint32_t* from, const volatile uint32_t* other, uint32_t count);
void straight(void);
__asm__(".syntax unified\\n.global sweep, weave, straight\\n.thumb_func\\n.balign 32\\n"
        "sweep:\\n1: ldr r2, [r0], #4\\nsubs r1, #1\\nbne 1b\\nbx lr\\n"
        ".thumb_func\\n.balign 32\\n"
        "weave:\\n1: ldr r3, [r0], #4\\nldr r3, [r1], #4\\nsubs r2, #1\\nbne 1b\\nbx lr\\n"
        ".thumb_func\\n.balign 32\\n"
        "straight:\\n.rept 1023\\nnop\\n.endr\\nbx lr\\n");
int main(void) {
  marker = 1 << 16;
  %s
  marker = 0;
}
"""


def counted(make_machine, body: str, interface: FlashInterface) -> FlashCycles:
    """Waits of what ``main`` does, without those of calling it."""
    found = []
    for text in (body, ""):
        machine = make_machine(PROGRAM % text, "f446re")
        flash = find_board("f446re").flash_timing
        assert isinstance(flash, FlashTiming)
        flash = replace(flash, interface=interface, wait_states=WAITS)
        cycles = machine.count_cycles("marker", [1], flash)
        assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL
        found.append(cycles.of_operator(0, 0).flash)
    return FlashCycles(found[0].code - found[1].code, found[0].constants - found[1].constants)


SWEEPS = {
    "each_word_once": ("sweep(table, 256);", 0, 1024 // WORD_BYTES),
    "variables_are_not_in_flash": ("sweep(variables, 256);", 0, 0),
    "what_the_cache_holds": ("sweep(table, 32); sweep(table, 32);", 8, 128 // WORD_BYTES),
    "least_recently_used": ("sweep(table, 36); sweep(table, 36);", 8, 2 * 144 // WORD_BYTES),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_constants(name, make_machine):
    body, lines, words = SWEEPS[name]
    interface = replace(NO_CACHE, data_lines=lines, code_lines=64)
    # The literals of main, which hold addresses, may take a word or two more.
    waits = counted(make_machine, body, interface).constants
    assert 0 <= waits - words * WAITS <= 2 * WAITS


def test_lines_of_several_words_are_filled_word_by_word(make_machine):
    interface = replace(NO_CACHE, word_bytes=8, data_lines=8, data_line_bytes=32, code_lines=64)
    waits = counted(make_machine, "sweep(table, 64); sweep(table, 64);", interface).constants
    assert 0 <= waits - 256 // 8 * WAITS <= 2 * WAITS


def test_loads_from_two_memories_do_not_overlap(make_machine):
    interface = replace(NO_CACHE, data_lines=64, code_lines=64)
    alike = counted(make_machine, "weave(table, table + 128, 64);", interface).constants
    apart = counted(make_machine, "weave(table, variables, 64);", interface).constants
    # 64 words of the second memory need no flash; each round changes the memory once.
    assert alike - apart == pytest.approx(256 // WORD_BYTES * WAITS - 64, abs=WAITS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, 2 * 2048 // WORD_BYTES),
        ({"prefetches": True}, 2),
        ({"code_lines": 256}, 2048 // WORD_BYTES),
        ({"code_lines": 64}, 2 * 2048 // WORD_BYTES),
    ],
    ids=["no_cache", "prefetch", "large_cache", "small_cache"],
)
def test_code(changes, words, make_machine):
    interface = replace(NO_CACHE, **changes)
    waits = counted(make_machine, "straight(); straight();", interface).code
    assert 0 <= waits - words * WAITS <= 6 * WAITS


def test_boards_name_their_flash():
    assert find_board("l4r5zi").core.flash_interface == find_interface("stm32l4")
    assert find_board("pico").flash_timing is None
