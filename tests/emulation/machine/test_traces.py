"""Recorded accesses and profiles say what a program did, to the access and instruction."""

from __future__ import annotations

import pytest

from predictor.emulation.machine import StopReason
from predictor.emulation.unicorn.access_trace import CAPACITY

HEAD = '#include "start.h"\n'

SHIFT = HEAD + (
    "volatile uint8_t data[200000];\n"
    "__attribute__((noipa)) void shift(int count) {\n"
    "  for (int i = 0; i < count; ++i) data[i + 1] = data[i] + 1;\n}\n"
    "int main(void) { data[0] = 7; shift(COUNT); }\n"
)


@pytest.mark.parametrize("count", [10, CAPACITY])
def test_accesses_come_in_order_with_values(count, make_machine, either_counter):
    machine = make_machine(SHIFT.replace("200000", "100000"), "f446re", f"-DCOUNT={count}")
    machine.run(until_symbol="shift")
    base = machine.symbol("data")
    rows = []
    recorder = machine.trace_accesses(
        base, base + 100000, lambda accesses: rows.extend(accesses.tolist())
    )
    assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL
    recorder.flush()
    recorder.remove()
    assert len(rows) == 2 * count
    shift = machine.symbol("shift")
    for index, (instructions, pc, address, value, size, is_write) in enumerate(rows):
        step, is_second = divmod(index, 2)
        assert (address - base, size, is_write) == (step + is_second, 1, is_second)
        if is_write:
            assert value == (8 + step) & 0xFF
        assert shift <= pc < shift + 64
        assert index == 0 or instructions >= rows[index - 1][0]


def test_nothing_is_recorded_outside_of_the_range_or_after_removal(make_machine, either_counter):
    machine = make_machine(SHIFT.replace("200000", "1000"), "f446re", "-DCOUNT=100")
    machine.run(until_symbol="shift")
    base = machine.symbol("data")
    rows = []
    recorder = machine.trace_accesses(
        base + 10, base + 20, lambda accesses: rows.extend(accesses["address"].tolist())
    )
    machine.run(until_symbol="finished")
    recorder.flush()
    # a write as the neighbour of the byte before, then a read for the next one
    assert rows == [base + offset for offset in range(10, 20) for _ in range(2)]
    recorder.remove()
    machine.reset()
    machine.run(until_symbol="finished")
    recorder.flush()
    assert len(rows) == 20


def test_an_error_of_the_consumer_is_raised(make_machine, either_counter):
    machine = make_machine(SHIFT.replace("200000", "100000"), "f446re", f"-DCOUNT={CAPACITY}")

    def broken(accesses):
        raise RuntimeError("full")

    recorder = machine.trace_accesses(0x20000000, 0x20020000, broken)
    machine.run(until_symbol="finished")
    with pytest.raises(RuntimeError, match="full"):
        recorder.flush()


CALLS = HEAD + (
    "#define KEEP __attribute__((noipa))\n"
    "volatile int x;\n"
    "KEEP void leaf(void) { ++x; }\n"
    "KEEP void twice(void) { leaf(); leaf(); ++x; }\n"
    'KEEP void tail(void) { ++x; __asm volatile("b leaf"); }\n'
    "KEEP int recurse(int n) { leaf(); return n ? recurse(n - 1) + x : 0; }\n"
    "int main(void) { twice(); tail(); recurse(4); x = 0; }\n"
)


def test_profile_adds_up(make_machine, either_counter):
    machine = make_machine(CALLS, profile=True)
    result = machine.run(until_symbol="finished")
    functions = {item.name: item for item in result.profile.functions}
    assert sum(item.self_instructions for item in result.profile.functions) == result.instructions
    assert functions["reset_handler"].inclusive_instructions == result.instructions
    assert {name: functions[name].calls for name in ("leaf", "twice", "tail", "recurse")} == {
        "leaf": 2 + 1 + 5,
        "twice": 1,
        "tail": 1,
        "recurse": 5,
    }
    leaf, twice = functions["leaf"], functions["twice"]
    each = leaf.self_instructions // 8
    assert leaf.inclusive_instructions == leaf.self_instructions == 8 * each
    assert twice.inclusive_instructions == twice.self_instructions + 2 * each
    recurse = functions["recurse"]
    assert recurse.inclusive_instructions == recurse.self_instructions + 5 * each
    main = functions["main"]
    assert main.inclusive_instructions == main.self_instructions + sum(
        functions[name].inclusive_instructions for name in ("twice", "tail", "recurse")
    )
    calls = {(item.caller, item.callee): item.calls for item in result.profile.calls}
    assert calls[("twice", "leaf")] == 2
    assert calls[("tail", "leaf")] == 1
    assert calls[("recurse", "recurse")] == 4
    assert calls[("reset_handler", "main")] == 1


def test_a_return_past_the_caller_ends_both_calls(make_machine, either_counter):
    """As in libgcc's arithmetic: what an inner routine pops is the outer one's return address."""
    text = ".syntax unified\n.thumb\n" + "".join(
        f".global {name}\n.thumb_func\n.type {name}, %function\n{name}:\n{body}\n"
        f".size {name}, . - {name}\n"
        for name, body in {
            "main": "push {r4, lr}\nmov r4, #3\n1: bl outer\nsubs r4, #1\nbne 1b\nbl leaf\n"
            "pop {r4, pc}",
            "outer": "push {r4, lr}\nbl inner\npop {r4, pc}",
            "inner": "pop {r4, pc}",
            "leaf": "bx lr",
        }.items()
    )
    result = make_machine(text, suffix=".s", profile=True).run(until_symbol="finished")
    calls = {(item.caller, item.callee): item.calls for item in result.profile.calls}
    assert calls[("main", "outer")] == 3
    assert calls[("outer", "inner")] == 3
    assert calls[("main", "leaf")] == 1
    assert calls[("reset_handler", "main")] == 1


def test_profile_does_not_change_the_count(make_machine, either_counter):
    plain = make_machine(CALLS).run(until_symbol="finished")
    profiled = make_machine(CALLS, profile=True).run(until_symbol="finished")
    assert plain.instructions == profiled.instructions
    assert plain.profile is None


def test_interrupt_handler_in_the_profile(make_machine, either_counter):
    text = HEAD + (
        "volatile int ticks;\n"
        "__attribute__((noipa)) void count(void) { ++ticks; }\n"
        "void systick_handler(void) { count(); count(); }\n"
        "__attribute__((noipa)) void work(void) {\n"
        '  for (int i = 0; i < 5000; ++i) __asm volatile("");\n}\n'
        "int main(void) {\n"
        "  REGISTER(0xE000E014u) = 999;\n  REGISTER(0xE000E018u) = 0;\n"
        "  REGISTER(0xE000E010u) = 7;\n  work();\n  REGISTER(0xE000E010u) = 0;\n}\n"
    )
    machine = make_machine(text, profile=True)
    result = machine.run(until_symbol="finished")
    functions = {item.name: item for item in result.profile.functions}
    ticks = int.from_bytes(machine.read_memory(machine.symbol("ticks"), 4), "little")
    handler = functions["systick_handler"]
    assert 2 * handler.calls == ticks == functions["count"].calls
    assert handler.calls >= 9
    assert functions["main"].calls == functions["work"].calls == 1
    assert sum(item.self_instructions for item in result.profile.functions) == result.instructions
    assert handler.inclusive_instructions == (
        handler.self_instructions + functions["count"].inclusive_instructions
    )


CONDITIONAL = HEAD + (
    "volatile uint32_t words[300];\n"
    "__attribute__((noipa)) void mark(volatile uint32_t* from, volatile uint32_t* to) {\n"
    '  __asm__ volatile("1: ldr r2, [%0, #4]; adds %0, #12; adds r2, #1; it eq;"\n'
    '    "streq %0, [%0, #-8]; cmp %0, %1; bne 1b"\n'
    '    : "+r"(from) : "r"(to) : "r2", "cc", "memory");\n'
    "}\n"
    "int main(void) { for (int i = 1; i < 300; i += 6) words[i] = -1;\n"
    "  mark(words, words + 300); }\n"
)


def test_a_recorded_access_in_an_it_block_does_not_change_what_follows(
    make_machine, either_counter
):
    machine = make_machine(CONDITIONAL, "f446re")
    base = machine.symbol("words")
    assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL
    expected, instructions = machine.read_memory(base, 1200), machine.instructions
    machine.reset()
    recorder = machine.trace_accesses(base, base + 1200, lambda accesses: None)
    assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL
    recorder.flush()
    assert machine.read_memory(base, 1200) == expected
    assert machine.instructions == instructions
