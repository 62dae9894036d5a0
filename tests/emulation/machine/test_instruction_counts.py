"""Instruction counts equal an independent count, one instruction at a time."""

from __future__ import annotations

import re
import struct
import subprocess
from itertools import pairwise

import pytest

from predictor.emulation.machine import StopReason
from predictor.emulation.unicorn.counter_state import Stop
from predictor.emulation.unicorn.thumb import count_instructions

HEAD = ".syntax unified\n.thumb\n.global main\n.thumb_func\n.type main, %function\nmain:\n"

PROGRAMS = {
    # name: body of main (ends with bx lr), instructions from main to bx lr if told by hand
    "count_down": ("mov r0, #1000\n1: subs r0, #1\nbne 1b\nbx lr\n", 1 + 2 * 1000 + 1),
    "wide_instructions": (
        "mov.w r0, #500\nmov.w r1, #0\n1: add.w r1, r1, r0\nsubs.w r0, r0, #1\nbne.w 1b\nbx lr\n",
        2 + 3 * 500 + 1,
    ),
    "it_taken_and_skipped": (
        "mov r0, #100\nmov r1, #0\n1: tst r0, #1\nite ne\naddne r1, #1\naddeq r1, #2\n"
        "subs r0, #1\nbne 1b\nbx lr\n",
        2 + 6 * 100 + 1,
    ),
    "it_of_four": (
        "mov r0, #64\n1: tst r0, #3\nitttt eq\nmoveq r1, #1\nmoveq.w r2, #2\nmoveq r3, #3\n"
        "moveq.w r12, #4\nsubs r0, #1\nbne 1b\nbx lr\n",
        1 + 8 * 64 + 1,
    ),
    "it_with_branch": (
        "mov r0, #90\nmov r1, #0\n1: adds r1, #1\ncmp r1, #3\nitt eq\nmoveq r1, #0\nbeq 2f\n"
        "nop\n2: subs r0, #1\nbne 1b\nbx lr\n",
        2 + 90 * 7 + 60 * 1 + 1,
    ),
    "it_with_return": (
        "push {lr}\nmov r4, r4\nmov r0, #20\n1: bl helper\nsubs r0, #1\nbne 1b\npop {pc}\n"
        "helper: tst r0, #1\nit ne\nbxne lr\nnop\nbx lr\n",
        3 + 20 * 3 + 10 * 3 + 10 * 5 + 1,
    ),
    "conditional_branches": (
        "mov r0, #0\nmov r2, #0\n1: tst r0, #1\nbeq 2f\nadds r2, #1\nb 3f\n2: adds r2, #2\n"
        "3: adds r0, #1\ncmp r0, #77\nbne 1b\nbx lr\n",
        2 + 77 * 6 + 38 * 1 + 1,
    ),
    "compare_and_branch": (
        "mov r0, #50\n1: cbz r0, 2f\nsub r0, #1\nb 1b\n2: bx lr\n",
        1 + 50 * 3 + 1 + 1,
    ),
    "table_branch": (
        "mov r0, #9\nmov r1, #0\n1: and r2, r0, #1\ntbb [pc, r2]\n"
        "2: .byte (3f - 2b) / 2, (4f - 2b) / 2\n3: adds r1, #1\n4: subs r0, #1\nbne 1b\nbx lr\n",
        2 + 9 * 4 + 4 * 1 + 1,
    ),
    "long_block": ("nop\n" * 2000 + "bx lr\n", 2001),
    "it_over_a_page": (
        "mov r0, #10\nb 1f\n.p2align 10\n.space 1018, 0\n1: tst r0, #1\nb 2f\n.space 0\n"
        "2: itttt ne\naddne.w r1, r1, #1\naddne.w r1, r1, #2\naddne.w r1, r1, #3\n"
        "addne.w r1, r1, #4\nsubs r0, #1\nbne 1b\nbx lr\n",
        2 + 10 * 9 + 1,
    ),
    "load_and_store_multiple": (
        "push {r4-r7, lr}\nmov r4, #30\n1: push {r0-r3}\npop {r0-r3}\nstrd r0, r1, [sp, #-8]!\n"
        "ldrd r0, r1, [sp], #8\nsubs r4, #1\nbne 1b\npop {r4-r7, pc}\n",
        2 + 30 * 6 + 1,
    ),
    "floats": (
        "vmov.f32 s0, #1.0\nvmov.f32 s1, #0.5\nmov r0, #40\n1: vmla.f32 s0, s0, s1\n"
        "vcmp.f32 s0, #0.0\nvmrs apsr_nzcv, fpscr\nit gt\nvmulgt.f32 s0, s0, s1\nsubs r0, #1\n"
        "bne 1b\nbx lr\n",
        3 + 40 * 7 + 1,
    ),
}


class SingleSteps:
    """Counts by Unicorn's hook on each instruction; an IT block counts by its own encoding.

    The hook leaves out instructions that an IT block skips. So the IT instruction counts for all
    that it governs, and those count nothing themselves.
    """

    def __init__(self, machine):
        from unicorn.unicorn_const import UC_HOOK_CODE

        self.count = 0
        self._governed = range(0)
        self._machine = machine
        machine._core.engine.hook_add(UC_HOOK_CODE, self._on_instruction)

    def _on_instruction(self, engine, address, size, _):
        if address in self._governed or self._machine._core.counter.state.stop != Stop.NONE:
            return
        self._governed = range(0)
        self.count += 1
        code = engine.mem_read(address, 18)
        mask = code[0] & 0xF
        if size == 2 and code[1] == 0xBF and mask:
            governed = 4 - (mask & -mask).bit_length() + 1
            end = 2
            for _ in range(governed):
                end += 4 if code[end + 1] >> 3 >= 0x1D else 2
            self._governed = range(address + 2, address + end)
            self.count += governed


@pytest.mark.parametrize("name", PROGRAMS)
def test_count_equals_single_steps_and_the_count_by_hand(name, make_machine, either_counter):
    body, by_hand = PROGRAMS[name]
    machine = make_machine(HEAD + body, suffix=".s")
    machine.run(until_symbol="main")
    before = machine.instructions
    result = machine.run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL
    assert result.instructions - before == by_hand + 1  # and the call of finished()

    stepped = make_machine(HEAD + body, suffix=".s")
    steps = SingleSteps(stepped)
    assert stepped.run(until_symbol="finished").instructions == result.instructions
    assert steps.count == result.instructions


def test_cycle_counter_is_exact_inside_a_block(make_machine, either_counter):
    body = (
        "push {r4-r7, lr}\nldr r7, =0xE0001004\nldr r0, [r7]\nldr r1, [r7]\nnop\nnop\n"
        "ldr r2, [r7]\nmov.w r3, r3\nldr.w r3, [r7]\ncmp r0, r0\nite eq\nldreq r4, [r7]\n"
        "nopne\nldr r5, [r7]\nb 1f\n1: ldr r6, [r7]\n"
        "ldr r7, =out\nstm r7, {r0-r6}\npop {r4-r7, pc}\n"
        ".bss\n.global out\nout: .space 28\n"
    )
    start = "push {r0, lr}\nbl switch_on\npop {r0, lr}\nb body\n.thumb_func\nbody:\n"
    switch = (
        "\n.text\n.thumb_func\nswitch_on:\nldr r0, =0xE000EDFC\nmov r1, #0x1000000\n"
        "str r1, [r0]\nldr r0, =0xE0001000\nmov r1, #1\nstr r1, [r0]\nbx lr\n"
    )
    machine = make_machine(HEAD + start + body + switch, suffix=".s")
    machine.run(until_symbol="finished")
    counts = struct.unpack("<7I", machine.read_memory(machine.symbol("out"), 28))
    differences = [later - earlier for earlier, later in pairwise(counts)]
    assert differences == [1, 3, 2, 3, 2, 2]


def test_systick_handlers_count_too(make_machine, either_counter):
    text = (
        '#include "start.h"\n'
        "volatile int ticks;\n"
        "void systick_handler(void) { ++ticks; }\n"
        "int main(void) {\n"
        "  REGISTER(0xE000E014u) = 999;\n  REGISTER(0xE000E018u) = 0;\n"
        "  REGISTER(0xE000E010u) = 7;\n"
        '  for (int i = 0; i < 20000; ++i) __asm volatile("");\n'
        "  REGISTER(0xE000E010u) = 0;\n}\n"
    )
    machine = make_machine(text)
    steps = SingleSteps(machine)
    result = machine.run(until_symbol="finished")
    ticks = int.from_bytes(machine.read_memory(machine.symbol("ticks"), 4), "little")
    assert steps.count == result.instructions
    handler_instructions = 5
    without = make_machine(text.replace("= 7;", "= 5;")).run(until_symbol="finished").instructions
    assert result.instructions == without + ticks * handler_instructions
    assert ticks == (result.instructions - 150) // 1000


def test_limit_stops_at_the_next_block(make_machine, either_counter):
    machine = make_machine(HEAD + "1: nop\nnop\nnop\nb 1b\n", suffix=".s")
    first = machine.run(max_instructions=1_000)
    assert first.stop is StopReason.MAX_INSTRUCTIONS
    assert 1_000 <= first.instructions < 1_004
    second = machine.run(max_instructions=3_000)
    assert 3_000 <= second.instructions < 3_004


def test_pieces_of_a_run_add_up(make_machine, either_counter):
    body, _ = PROGRAMS["it_over_a_page"]
    body = "mov r1, #0\n" + body.replace("bx lr", "ldr r2, =sum\nstr r1, [r2]\nbx lr")
    body += ".bss\n.global sum\nsum: .space 4\n"
    whole = make_machine(HEAD + body, suffix=".s").run(until_symbol="finished")
    machine = make_machine(HEAD + body, suffix=".s")
    limit, pieces = 0, 0
    while (result := machine.run(until_symbol="finished", max_instructions=limit)).stop is (
        StopReason.MAX_INSTRUCTIONS
    ):
        limit += 1
        pieces += 1
    assert result.stop is StopReason.SYMBOL
    assert pieces > 40
    assert result.instructions == whole.instructions
    assert machine.read_memory(machine.symbol("sum"), 4) == (5 * 10).to_bytes(4, "little")


def test_fault_does_not_count_what_was_not_executed(make_machine, either_counter):
    body = "mov r0, #0\nnop\nnop\nstr r0, [r0]\nnop\nnop\nbx lr\n"
    machine = make_machine(HEAD + body, suffix=".s")
    before = machine.run(until_symbol="main").instructions
    assert machine.run().instructions - before == 3


def test_lengths_equal_those_of_the_disassembler(build_image):
    """Every function of a program with the C library's printf, against objdump."""
    text = (
        '#include "start.h"\n#include <stdio.h>\n#include <math.h>\n'
        "char text[80];\nvolatile float x;\n"
        'int main(void) { snprintf(text, 80, "%f %d", (double)expf(x), 3); }\n'
        "void* _sbrk(int n) { (void)n; return 0; }\n"
        + "".join(
            f"int {name}(void) {{ return -1; }}\n"
            for name in (
                "_close",
                "_fstat",
                "_isatty",
                "_lseek",
                "_read",
                "_write",
                "_exit",
                "_kill",
                "_getpid",
            )
        )
    )
    elf = build_image(text, "f446re", "-Wno-builtin-declaration-mismatch", "-lm")
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", "-z", "--no-show-raw-insn", str(elf)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    from predictor.firmware.elf_image import ElfImage

    image = ElfImage(elf)
    addresses = {int(found, 16) for found in re.findall(r"^ *([0-9a-f]+):\t(?!\.)", listing, re.M)}
    data = {int(found, 16) for found in re.findall(r"^ *([0-9a-f]+):\t\.", listing, re.M)}
    flash = min(image.segments, key=lambda segment: segment.load_address)
    checked = 0
    for function in image.functions:
        span = range(function.address, function.address + function.size_bytes)
        if any(address in data for address in span):
            continue
        start = function.address - flash.load_address
        code = flash.data[start : start + function.size_bytes]
        wanted = sum(1 for address in span if address in addresses)
        assert count_instructions(code) == wanted, function.name
        checked += wanted
    assert checked > 1000
