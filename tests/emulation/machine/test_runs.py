"""How runs end, what the UART and the core's own peripherals do, and what is noticed."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import StopReason
from predictor.emulation.platform.board_platform import board_platform, platform_text
from predictor.emulation.platform.description import read_platform
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.errors import EmulationError, PlatformError

HEAD = '#include "start.h"\n'
ENDLESS = HEAD + "volatile int x;\nint main(void) { for (;;) ++x; }\n"
BOARDS = ["f446re", "f746zg", "f767zi"]


@pytest.mark.parametrize("board", BOARDS)
def test_text_arrives_on_every_board(board, make_machine, either_counter):
    machine = make_machine(HEAD + 'int main(void) { uart_text("hello\\n"); }\n', board)
    result = machine.run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL
    assert result.uart == machine.uart == b"hello\n"
    assert not [notice for notice in result.notices if "counted in Python" not in notice]
    assert result.fault is None
    result.raise_fault()


def test_uart_carries_every_byte_and_text_is_found_in_garbage(make_machine):
    text = HEAD + (
        "int main(void) {\n  for (int i = 255; i >= 0; --i) uart_write(i);\n"
        '  uart_text("\\xFF@end@\\n");\n  for (;;) uart_text("never");\n}\n'
    )
    machine = make_machine(text)
    result = machine.run(until_uart=b"@end@\n")
    assert result.stop is StopReason.UART_TEXT
    assert result.uart == bytes(range(255, -1, -1)) + b"\xff@end@\n"


def test_a_run_goes_on_behind_the_text(make_machine, either_counter):
    text = HEAD + 'int main(void) { uart_text("one @end@ two\\n"); }\n'
    whole = make_machine(text).run(until_symbol="finished")
    machine = make_machine(text)
    assert machine.run(until_uart=b"@end@").uart == b"one @end@"
    result = machine.run(until_symbol="finished")
    assert (result.uart, result.instructions) == (whole.uart, whole.instructions)


def test_endless_loop_ends_at_the_limits(make_machine):
    machine = make_machine(ENDLESS)
    result = machine.run(max_instructions=100_000)
    assert result.stop is StopReason.MAX_INSTRUCTIONS
    start = time.monotonic()
    assert machine.run(timeout_s=0.3).stop is StopReason.TIMEOUT
    assert time.monotonic() - start < 3
    assert machine.instructions > 100_000


def test_progress_grows(make_machine):
    seen = []
    make_machine(ENDLESS).run(max_instructions=100_000_000, progress=seen.append)
    assert len(seen) >= 3
    assert [item.instructions for item in seen] == sorted({item.instructions for item in seen})


def test_breakpoint_stops_with_its_number(make_machine):
    machine = make_machine(HEAD + 'int main(void) { __asm volatile("bkpt #171"); }\n')
    result = machine.run()
    assert (result.stop, result.breakpoint) == (StopReason.BREAKPOINT, 171)


def test_sleep_without_an_alarm_is_the_end(make_machine):
    result = make_machine(HEAD + "int main(void) { }\n").run()
    assert result.stop is StopReason.IDLE


def test_hints_do_nothing(make_machine):
    text = HEAD + (
        'int main(void) { __asm volatile("wfe\\n\\tsev\\n\\tyield\\n\\tdmb\\n\\tclrex");\n'
        "  uart_write('x'); }\n"
    )
    result = make_machine(text).run(until_symbol="finished")
    assert (result.stop, result.uart) == (StopReason.SYMBOL, b"x")


def test_sleep_until_systick(make_machine):
    text = HEAD + (
        "volatile int ticks;\n"
        "void systick_handler(void) { ++ticks; }\n"
        "int main(void) {\n"
        "  cycle_counter_on();\n"
        "  REGISTER(0xE000E014u) = 179999;\n  REGISTER(0xE000E018u) = 0;\n"
        "  uint32_t start = CYCLES;\n"
        "  REGISTER(0xE000E010u) = 7;\n"
        '  while (ticks < 5) __asm volatile("wfi");\n'
        "  ticks = CYCLES - start;\n}\n"
    )
    machine = make_machine(text)
    result = machine.run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL
    (cycles,) = struct.unpack("<I", machine.read_memory(machine.symbol("ticks"), 4))
    assert 5 * 180_000 <= cycles < 5 * 180_000 + 200
    assert result.instructions < 1_000


def test_supervisor_call_and_pendsv_keep_all_registers(make_machine, either_counter):
    text = HEAD + (
        "volatile float result;\nvolatile int order, seen[3];\n"
        '__attribute__((noipa)) float scramble(void) { __asm volatile("mov r0, #1\\n\\tmov r1, #2'
        "\\n\\tmov r2, #3\\n\\tmov r3, #4\\n\\tmov r12, #5\\n\\tvmov s0, r0\\n\\tvmov s15, r0"
        '\\n\\tcmp r0, r0" ::: "r0", "r1", "r2", "r3", "r12", "s0", "s15", "cc"); return 2.0f; }\n'
        "void svc_handler(void) { seen[order++] = 11; scramble(); }\n"
        "void pendsv_handler(void) { seen[order++] = 14; scramble(); }\n"
        "__attribute__((noipa)) int check(void) {\n"
        "  int wrong;\n"
        '  __asm volatile("mov r0, #10\\n\\tmov r1, #11\\n\\tmov r2, #12\\n\\tmov r3, #13\\n\\t'
        "mov r12, #14\\n\\tvmov s0, r1\\n\\tvmov s15, r2\\n\\tcmp r0, #99\\n\\tsvc #3\\n\\t"
        "ite ne\\n\\tmovne %0, #0\\n\\tmoveq %0, #1\\n\\t"
        "sub r0, #10\\n\\tsub r1, #11\\n\\tsub r2, #12\\n\\tsub r3, #13\\n\\tsub r12, #14\\n\\t"
        "orr %0, r0\\n\\torr %0, r1\\n\\torr %0, r2\\n\\torr %0, r3\\n\\torr %0, r12\\n\\t"
        "vmov r0, s0\\n\\tsub r0, #11\\n\\torr %0, r0\\n\\tvmov r0, s15\\n\\tsub r0, #12\\n\\t"
        'orr %0, r0" : "=&r"(wrong) :: "r0", "r1", "r2", "r3", "r12", "s0", "s15", "cc");\n'
        "  return wrong;\n}\n"
        "int main(void) {\n"
        "  result = 3.0f;\n"
        "  uart_write('0' + check());\n"
        "  REGISTER(0xE000ED04u) = 1u << 28;\n"
        '  __asm volatile("dsb\\n\\tisb");\n'
        "  uart_write(seen[0]);\n  uart_write(seen[1]);\n}\n"
    )
    result = make_machine(text).run(until_symbol="finished")
    assert result.stop is StopReason.SYMBOL
    assert result.uart == b"0\x0b\x0e"


def test_masked_exception_waits(make_machine):
    text = HEAD + (
        "volatile int seen;\nvoid pendsv_handler(void) { seen = 1; }\n"
        "int main(void) {\n"
        '  __asm volatile("cpsid i");\n'
        "  REGISTER(0xE000ED04u) = 1u << 28;\n"
        '  __asm volatile("dsb\\n\\tisb");\n'
        "  for (volatile int i = 0; i < 100; ++i) {}\n"
        "  uart_write('0' + seen);\n"
        '  __asm volatile("cpsie i");\n'
        "  for (volatile int i = 0; i < 100; ++i) {}\n"
        "  uart_write('0' + seen);\n}\n"
    )
    assert make_machine(text).run(until_symbol="finished").uart == b"01"


def test_reset_request_ends_the_run(make_machine):
    text = HEAD + "int main(void) { REGISTER(0xE000ED0Cu) = 0x05FA0004u; for (;;) {} }\n"
    assert make_machine(text).run(max_instructions=10_000).stop is StopReason.RESET


@pytest.mark.parametrize(
    ("statements", "notice"),
    [
        ("REGISTER(0x40023840u) = 0; REGISTER(0x40004404u) = 65;", "before its clock is on"),
        ("REGISTER(0x4000440Cu) = 0; REGISTER(0x40004404u) = 65;", "its transmitter is not on"),
        ("REGISTER(0xE0001000u) = 1;", "TRCENA in DEMCR is not set"),
    ],
    ids=["uart_without_clock", "uart_off", "counter_without_trace"],
)
def test_what_the_board_would_ignore_is_noticed(statements, notice, make_machine):
    result = make_machine(HEAD + f"int main(void) {{ {statements} }}\n").run()
    assert [text for text in result.notices if notice in text]
    assert result.uart == b""


def test_locked_cycle_counter_of_the_cortex_m7(make_machine):
    text = HEAD + (
        "int main(void) { REGISTER(0xE000EDFCu) |= 1u << 24; REGISTER(0xE0001000u) |= 1;\n"
        "  uart_write('0' + (CYCLES != 0));\n"
        "  cycle_counter_on(); uart_write('0' + (CYCLES != 0)); }\n"
    )
    result = make_machine(text, "f746zg").run(until_symbol="finished")
    assert result.uart == b"01"
    assert any("DWT_LAR" in notice for notice in result.notices)
    assert make_machine(text, "f446re").run(until_symbol="finished").uart == b"11"


def test_clock_tree_answers_as_on_the_board(make_machine):
    text = HEAD + (
        "static uint32_t set(uint32_t address, uint32_t bits) {\n"
        "  REGISTER(address) |= bits; return REGISTER(address); }\n"
        "int main(void) {\n"
        "  uart_write('0' + (set(0x40023800u, 1u << 16) >> 17 & 1));\n"
        "  uart_write('0' + (set(0x40023800u, 1u << 24) >> 25 & 1));\n"
        "  uart_write('0' + (set(0x40023808u, 2) >> 2 & 3));\n"
        "  uart_write('0' + (REGISTER(0x40007004u) >> 16 & 1));\n"
        "  set(0x40007000u, 3u << 16);\n"
        "  uart_write('0' + (REGISTER(0x40007004u) >> 16 & 3));\n"
        "  uart_write('0' + (set(0x40023C00u, 5) & 15));\n"
        "  *(volatile uint8_t*)0x40020001u = 0x5A;\n"
        "  uart_write(REGISTER(0x40020000u) >> 8);\n}\n"
    )
    assert make_machine(text).run(until_symbol="finished").uart == b"112035\x5a"


def test_stack_use_is_that_of_the_deepest_call(make_machine, either_counter):
    text = HEAD + (
        "__attribute__((noipa)) int leaf(void) { volatile char room[300]; return room[0] = 1; }\n"
        "__attribute__((noipa)) int middle(void) {\n"
        "  volatile char room[100]; room[0] = 1; return leaf() + room[0]; }\n"
        "int main(void) { middle(); }\n"
    )
    machine = make_machine(text)
    shallow = machine.run(until_symbol="middle").stack_used_bytes
    deep = machine.run(until_symbol="finished").stack_used_bytes
    assert 400 <= deep - shallow <= 432


def test_ram_is_not_zero_after_power_on(make_machine):
    machine = make_machine(HEAD + "int main(void) { }\n")
    assert machine.read_memory(0x2001FFF0, 4) == b"\xa5" * 4


def test_reset_makes_runs_equal(make_machine):
    machine = make_machine(
        HEAD + "volatile int n = 3;\nint main(void) { uart_write('0' + n++); }\n"
    )
    first = machine.run(until_symbol="finished")
    machine.reset()
    second = machine.run(until_symbol="finished")
    assert (
        (first.uart, first.instructions)
        == (second.uart, second.instructions)
        == (
            b"3",
            first.instructions,
        )
    )


def test_binary_is_read_by_the_program(make_machine):
    machine = make_machine(
        HEAD + "int main(void) { uart_write(*(volatile uint8_t*)0x08070000u); }\n"
    )
    machine.load_binary(b"M", 0x08070000)
    assert machine.run(until_symbol="finished").uart == b"M"
    with pytest.raises(EmulationError, match="those from 0x08080000 on lie in no memory"):
        machine.load_binary(bytes(2), 0x0807FFFF)


def test_memory_written_from_outside(make_machine):
    machine = make_machine(HEAD + "volatile int n = 3;\nint main(void) { uart_write('0' + n); }\n")
    machine.run(until_symbol="main")
    machine.write_memory(machine.symbol("n"), bytes([7, 0, 0, 0]))
    assert machine.run(until_symbol="finished").uart == b"7"


def test_ctrl_c_is_raised_and_leaves_nothing_behind(make_machine):
    machine = make_machine(ENDLESS)
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        machine.run(timeout_s=20)
    assert signal.getsignal(signal.SIGINT) is before
    assert machine.run(max_instructions=machine.instructions + 1000).stop is (
        StopReason.MAX_INSTRUCTIONS
    )


def test_ctrl_c_inside_a_callback_is_not_lost(make_machine):
    text = HEAD + "int main(void) { for (;;) uart_write('x'); }\n"
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        make_machine(text).run(timeout_s=20)


def test_killed_process_reports_the_interrupt(build_image):
    script = (
        "import sys\n"
        "from predictor.boards.board import find_board\n"
        "from predictor.emulation.platform.board_platform import board_platform, platform_text\n"
        "from predictor.emulation.unicorn.machine import UnicornMachine\n"
        "machine = UnicornMachine(board_platform(find_board('f446re')))\n"
        "machine.load_elf(sys.argv[1])\n"
        "print('running', flush=True)\n"
        "try:\n    machine.run()\nexcept KeyboardInterrupt:\n    sys.exit(130)\n"
    )
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    command = [sys.executable, "-c", script, str(build_image(ENDLESS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"running\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=10) == 130
        finally:
            process.kill()
        assert process.stderr.read() == b""


def test_an_error_in_a_callback_is_not_swallowed(make_machine):
    machine = make_machine(HEAD + "int main(void) { uart_write('x'); }\n")

    def broken(byte):
        raise RuntimeError("broken device")

    for entry in machine._core._bus.devices:
        if entry.device.name == "usart2":
            entry.device.write_word = lambda offset, value: broken(value)
    with pytest.raises(RuntimeError, match="broken device"):
        machine.run(until_symbol="finished")


def test_programs_that_cannot_run(tmp_path, build_image, make_machine):
    platform = board_platform(find_board("f446re"))
    with pytest.raises(EmulationError, match="call load_elf first"):
        UnicornMachine(platform).run()
    with pytest.raises(EmulationError, match="cannot read"):
        UnicornMachine(platform).load_elf(tmp_path / "missing.elf")
    broken = tmp_path / "broken.elf"
    broken.write_bytes(b"\x7fELF" + bytes(40))
    with pytest.raises(EmulationError, match=r"broken\.elf"):
        UnicornMachine(platform).load_elf(broken)
    machine = make_machine(HEAD + "int main(void) { }\n")
    with pytest.raises(EmulationError, match="has no symbol nothing"):
        machine.symbol("nothing")
    with pytest.raises(EmulationError, match="has no symbol nothing"):
        machine.run(until_symbol="nothing")
    with pytest.raises(EmulationError, match="make another machine"):
        machine.load_elf(build_image(HEAD + "int main(void) { }\n"))


def test_truncated_programs_never_crash(tmp_path, build_image):
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    platform = board_platform(find_board("f446re"))
    whole = build_image(HEAD + "int main(void) { }\n").read_bytes()
    cut = tmp_path / "cut.elf"
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        cut.write_bytes(whole[:length])
        machine = UnicornMachine(platform)
        try:
            machine.load_elf(cut)
            machine.run(max_instructions=10_000)
        except EmulationError:
            continue


def test_program_for_another_board_is_refused(build_image):
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    elf = build_image(
        HEAD + "int main(void) { }\n"
        "__attribute__((section(\".far\"), used)) const char far = 'x';\n",
        "f746zg",
        "-Wl,--section-start=.far=0x08090000",
    )
    UnicornMachine(board_platform(find_board("f746zg"))).load_elf(elf)
    with pytest.raises(EmulationError, match=r"does not fit f446re: .* lie in no memory"):
        UnicornMachine(board_platform(find_board("f446re"))).load_elf(elf)


def test_core_that_is_not_emulated(build_image, tmp_path):
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    shipped = platform_text(find_board("f446re"))
    path = tmp_path / "other.repl"
    path.write_text(shipped.replace('"cortex-m4"', '"cortex-m55"'))
    refusal = r"\.repl:\d+: cpuType 'cortex-m55' is not emulated in process.*--backend renode"
    with pytest.raises(PlatformError, match=refusal):
        UnicornMachine(read_platform(path)).load_elf(build_image(HEAD + "int main(void) { }\n"))
