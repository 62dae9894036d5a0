"""What hardware would trap ends a run, with the right place, reason and source line."""

from __future__ import annotations

import re

import pytest

from predictor.emulation.machine import FaultKind, StopReason
from predictor.errors import FirmwareFaultError

HEAD = '#include "start.h"\n'
TAIL = '\nint main(void) {\n  uart_text("start\\n");\n  provoke();\n  uart_text("end\\n");\n}\n'


def provoking(body: str) -> str:
    """A program whose main() calls provoke() with this body."""
    return HEAD + "__attribute__((noipa)) void provoke(void) {\n" + body + "\n}" + TAIL


CASES = {
    "null_write": (
        "*(volatile int*)0 = 1;",
        FaultKind.NULL_ACCESS,
        r"write of 4 bytes at 0x00000000",
    ),
    "null_read_with_offset": (
        "(void)((volatile uint8_t*)0)[24];",
        FaultKind.NULL_ACCESS,
        r"read of 1 bytes at 0x00000018",
    ),
    "write_past_ram": (
        "for (volatile uint32_t* p = (uint32_t*)0x20010000;; ++p) *p = 0;",
        FaultKind.UNMAPPED_ACCESS,
        r"write of 4 bytes at 0x20020000, 0 bytes past the end of sram2",
    ),
    "unaligned_write_over_the_end": (
        "*(volatile uint32_t*)0x2001FFFE = 1;",
        FaultKind.UNMAPPED_ACCESS,
        r"past the end of sram2",
    ),
    "write_to_flash": (
        "*(volatile int*)0x08000100 = 1;",
        FaultKind.WRITE_PROTECTED,
        r"write of 4 bytes at 0x08000100, which lies in flash",
    ),
    "write_to_flash_after_read": (
        "volatile int* p = (int*)0x08000100; int v = *p; *p = v;",
        FaultKind.WRITE_PROTECTED,
        r"write of 4 bytes at 0x08000100",
    ),
    "execute_data": (
        "static volatile uint16_t code[4]; code[0] = 0x4770;\n"
        '((void (*)(void))((uintptr_t)code | 1))(); __asm volatile("");',
        FaultKind.EXECUTE_DATA,
        r"jump to 0x2000[0-9a-f]{4}, in sram1",
    ),
    "jump_to_nowhere": (
        '((void (*)(void))0x30000001)(); __asm volatile("");',
        FaultKind.EXECUTE_DATA,
        r"jump to 0x30000000, where no memory is",
    ),
    "even_address": (
        '((void (*)(void))0x08000100)(); __asm volatile("");',
        FaultKind.INVALID_STATE,
        r"even address",
    ),
    "end_of_no_exception": (
        '__asm volatile("ldr r0, =0xFFFFFFE9\\n\\tbx r0");',
        FaultKind.INVALID_RETURN,
        r"jump to 0xffffffe9, the end of an exception, and none is active",
    ),
    "undefined_instruction": (
        '__asm volatile("udf #7");',
        FaultKind.UNDEFINED_INSTRUCTION,
        r"instruction de07",
    ),
    "double_precision": (
        '__asm volatile(".inst.w 0xEE300B00");',
        FaultKind.UNDEFINED_INSTRUCTION,
        r"double precision, which is not emulated",
    ),
    "instruction_of_cortex_m7": (
        '__asm volatile("nop\\n\\t.inst.w 0xFE800A00");',
        FaultKind.WRONG_CORE,
        r"cortex-m4 does not have",
    ),
    "no_such_peripheral": (
        "*(volatile int*)0x40005000 = 1;",
        FaultKind.PERIPHERAL_ACCESS,
        r"write of 4 bytes at 0x40005000",
    ),
    "no_such_peripheral_in_a_used_page": (
        "(void)*(volatile int*)0x40004000;",
        FaultKind.PERIPHERAL_ACCESS,
        r"read of 4 bytes at 0x40004000",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_names_place_and_reason(name, make_machine, either_counter):
    body, kind, message = CASES[name]
    text = provoking(body)
    result = make_machine(text).run(max_instructions=1_000_000)
    assert result.stop is StopReason.FAULT
    assert result.uart == b"start\n"
    fault = result.fault
    assert fault.kind is kind
    assert re.search(message, fault.message), fault.message
    assert fault.location.symbol == "provoke"
    assert 3 <= fault.location.line <= 3 + body.count("\n")
    assert [frame.symbol for frame in fault.backtrace] == ["provoke", "main", "reset_handler"]
    main_line = text.splitlines().index("  provoke();") + 1
    assert fault.backtrace[1].line == main_line
    assert "called from main" in str(fault)
    with pytest.raises(FirmwareFaultError, match="provoke"):
        result.raise_fault()


def test_an_exception_that_loses_its_stack(make_machine, either_counter):
    text = HEAD + (
        "__attribute__((naked)) void svc_handler(void) {\n"
        '  __asm volatile("ldr r0, =0x30000000\\n\\tmov sp, r0\\n\\tbx lr");\n}\n'
        'int main(void) { __asm volatile("svc #1"); }\n'
    )
    fault = make_machine(text).run(max_instructions=1_000_000).fault
    assert fault.kind is FaultKind.INVALID_RETURN
    assert "no memory holds the exception's frame, at 0x30000000" in fault.message
    assert fault.location.symbol == "svc_handler"


def test_null_write_faults_where_the_board_has_unused_memory_at_zero(make_machine):
    body, kind, _ = CASES["null_write"]
    fault = make_machine(provoking(body), "f746zg").run().fault
    assert fault.kind is kind
    assert "the board has itcm there" in fault.message


def test_code_runs_from_itcm_if_the_program_puts_it_there(make_machine):
    text = HEAD + (
        "extern uint32_t __itcm_load[], __itcm_start[], __itcm_end[];\n"
        '__attribute__((section(".itcm"), noinline)) int twice(int value) { return 2 * value; }\n'
        "int main(void) {\n"
        "  for (int i = 0; __itcm_start + i < __itcm_end; ++i) __itcm_start[i] = __itcm_load[i];\n"
        "  uart_write(twice(21));\n}\n"
    )
    result = make_machine(text, "f746zg").run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL
    assert result.uart == bytes([42])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "below the RAM|passes the stack's end at 0x20000000"),
        (("-Wl,--defsym=stack_on_top=1",), "passes the stack's end at 0x2000"),
    ],
    ids=["stack_at_the_start_of_ram", "stack_above_data"],
)
def test_stack_overflow(options, message, make_machine, either_counter):
    text = HEAD + (
        "uint32_t canary[64];\n"
        "__attribute__((noipa)) int provoke(int depth) {\n"
        "  volatile int local[20];\n  local[0] = depth;\n"
        "  return depth == 1000 ? 0 : provoke(depth + 1) + local[0];\n}\n"
        "int main(void) { return provoke(0) + canary[0]; }\n"
    )
    result = make_machine(text, "f446re", *options).run(max_instructions=10_000_000)
    assert result.stop is StopReason.FAULT
    assert result.fault.kind is FaultKind.STACK_OVERFLOW
    assert re.search(message, result.fault.message)
    assert result.fault.location.symbol == "provoke"
    assert result.fault.backtrace[1].symbol == "provoke"
    assert result.stack_used_bytes <= 0x800


def test_stack_overflow_without_a_known_limit_is_told_by_the_stack_pointer(make_machine):
    text = provoking('__asm volatile("mov sp, %0\\n\\tpush {r0-r7}" ::"r"(0x20000008));')
    machine = make_machine(text)
    machine.run(until_symbol="provoke")
    machine._core.counter.state.stack_limit = 0
    fault = machine.run().fault
    assert fault.kind is FaultKind.STACK_OVERFLOW
    assert "below the RAM" in fault.message


def test_division_by_zero_traps_only_if_asked(make_machine, either_counter):
    text = HEAD + (
        "__attribute__((noipa)) int provoke(int a, int b) {\n"
        '  int q;\n  __asm volatile("sdiv %0, %1, %2" : "=r"(q) : "r"(a), "r"(b));\n'
        "  return q;\n}\n"
        "int main(void) {\n"
        "  volatile int zero = 0;\n"
        "  uart_write('0' + provoke(7, zero));\n"
        "  REGISTER(0xE000ED14u) |= 1 << 4;\n"
        '  __asm volatile("dsb\\n\\tisb");\n'
        "  uart_write('0' + provoke(8, 2));\n"
        "  provoke(7, zero);\n}\n"
    )
    result = make_machine(text).run()
    assert result.uart == b"04"
    assert result.fault.kind is FaultKind.DIVISION_BY_ZERO
    assert result.fault.location.symbol == "provoke"
    assert result.fault.location.line == 4


def test_skipped_division_by_zero_does_not_trap(make_machine):
    text = HEAD + (
        "int main(void) {\n"
        "  REGISTER(0xE000ED14u) |= 1 << 4;\n"
        '  __asm volatile("dsb\\n\\tisb\\n\\tmovs r0, #0\\n\\tcmp r0, #1\\n\\tit eq\\n\\t'
        'udiveq r0, r0, r0" ::: "r0", "cc");\n}\n'
    )
    assert make_machine(text).run(until_symbol="finished").stop is StopReason.SYMBOL


def test_floating_point_before_the_unit_is_on(make_machine, either_counter):
    text = provoking('__asm volatile("nop\\n\\tvmov s0, r0");')
    fault = make_machine(text, "f446re", "-DNO_FPU").run().fault
    assert fault.kind is FaultKind.FPU_DISABLED
    assert fault.location.symbol == "provoke"
    assert "CPACR" in fault.message


def test_cortex_m7_has_what_cortex_m4_has_not(make_machine):
    text = HEAD + 'int main(void) { __asm volatile("vmaxnm.f32 s0, s0, s0"); }\n'
    result = make_machine(text, "f767zi").run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL


def test_registers_are_those_of_the_fault(make_machine):
    text = provoking(
        '__asm volatile("mov r5, #77\\n\\tmov r6, #0\\n\\tstr r5, [r6]" ::: "r5", "r6");'
    )
    fault = make_machine(text).run().fault
    assert (fault.registers["r5"], fault.registers["r6"]) == (77, 0)
    assert fault.registers["pc"] == fault.location.address
    assert fault.address == 0
