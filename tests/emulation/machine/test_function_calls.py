"""Single functions: arguments by the standard, buffers alone between guards, results, faults."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.boards.board import find_board
from predictor.emulation.function_call import Buffer, marshal, require_window
from predictor.emulation.machine import FaultKind
from predictor.emulation.platform.board_platform import board_platform
from predictor.errors import EmulationError, FirmwareFaultError

TEXT = """#include "start.h"
static int calls = 5;
static int fresh;
typedef struct { const int8_t* data; int length; int8_t* out; } Task;
typedef struct { int a; int b; int c; } Triple;
#define API __attribute__((noipa, used))
API int add(int a, int b) { return a + b; }
API int count_calls(void) { return ++calls * 10 + fresh++; }
API int64_t product(int a, int b) { return (int64_t)a * b; }
API int many(int a, int b, int c, int d, int e, int f) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f; }
API int64_t wide(int a, int64_t b, int c, int64_t d) { return a + 10 * b + 100 * c + 1000 * d; }
API float scale(float x, int n, float y) { return x * n + y; }
API float floats(float a, float b, float c, float d, float e, float f, float g, float h,
  float i, float j, float k, float l, float m, float n, float o, float p, float q) {
  return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + 10 * p + 100 * q; }
API int by_value(int a, Triple t, int b) { return a + 10 * t.a + 100 * t.b + 1000 * t.c + b; }
API int sum(const int8_t* data, int length) {
  int total = 0; for (int i = 0; i < length; ++i) total += data[i]; return total; }
API void fill(int8_t* out, int length, int first) {
  for (int i = first; i < length; ++i) out[i] = (int8_t)i; }
API void run_task(const Task* task) {
  for (int i = 0; i < task->length; ++i) task->out[i] = (int8_t)-task->data[i]; }
API uint32_t load(const uint8_t* at) { return *(const volatile uint32_t*)at; }
API void spin(void) { for (;;) __asm volatile(""); }
API void crash(void) { *(volatile int*)0 = 1; }
__attribute__((naked, used)) void clobber(void) { __asm volatile("mov r6, #1\\n\\tbx lr"); }
__attribute__((naked, used)) void clobber_float(void) {
  __asm volatile("vmov s17, r0\\n\\tbx lr"); }
__attribute__((naked, used)) int three(void) { __asm volatile("mov r0, #3\\n\\tnop\\n\\tbx lr"); }
API int deep(int n) { volatile int x[64]; x[0] = n; return n ? deep(n - 1) + x[0] : 0; }
int main(void) { }
"""


@pytest.fixture
def machine(make_machine, either_counter):
    return make_machine(TEXT)


def test_numbers_and_results(machine):
    assert machine.call("add", 3, -5).int32 == -2
    assert machine.call("add", 0xFFFFFFFF, 2).r0 == 1
    assert machine.call("product", -70_000, 70_000).int64 == -4_900_000_000
    assert machine.call("many", 1, 2, 3, 4, 5, 6).int32 == 91
    wide = machine.call("wide", 1, ctypes.c_int64(-2), 3, ctypes.c_int64(1 << 33))
    assert wide.int64 == 1 - 20 + 300 + 1000 * (1 << 33)
    assert machine.call("by_value", 1, struct.pack("<3i", 2, 3, 4), 5).int32 == 4326


def test_floats(machine):
    assert machine.call("scale", 1.5, 4, -0.25).s0 == 5.75
    assert machine.call("floats", *([1.0] * 15), 2.0, 3.0).s0 == 15 + 20 + 300


def test_static_data_is_set_up_and_kept(machine):
    assert [machine.call("count_calls").r0 for _ in range(3)] == [60, 71, 82]


def test_buffers_in_and_out(machine):
    data = Buffer(bytes([1, 2, 0xFF, 4]), "data", is_writable=False)
    assert machine.call("sum", data, 4).int32 == 6
    out = Buffer(bytes(10), "out")
    result = machine.call("fill", out, 10, 4)
    assert result.contents[out] == bytes([0, 0, 0, 0, 4, 5, 6, 7, 8, 9])
    assert out.data == bytes(10)


def test_structures_with_pointers(machine):
    data, out = Buffer(bytes([1, 2, 3]), "data"), Buffer(bytes(3), "out")
    task = Buffer(struct.pack("<III", 0, 3, 0), "task", pointers={0: data, 8: out})
    assert machine.call("run_task", task).contents[out] == bytes([0xFF, 0xFE, 0xFD])


def test_one_buffer_may_be_input_and_output(machine):
    both = Buffer(bytes([1, 2, 3]), "both")
    task = Buffer(struct.pack("<III", 0, 3, 0), "task", pointers={0: both, 8: both})
    assert machine.call("run_task", task).contents[both] == bytes([0xFF, 0xFE, 0xFD])


def test_instructions_of_one_call(machine):
    assert machine.call("three").instructions == 3
    assert machine.call("three").instructions == 3


@pytest.mark.parametrize("length", [1, 3, 16, 4095, 4096, 4097])
@pytest.mark.parametrize("checks_bounds", [True, False])
def test_reading_past_the_end(length, checks_bounds, machine):
    data = Buffer(bytes(length), "data", is_writable=False)
    arguments = (data, length + 1)
    if not checks_bounds and length % 4096:
        machine.call("sum", *arguments, checks_bounds=False)  # within the page: not noticed
        return
    with pytest.raises(FirmwareFaultError) as caught:
        machine.call("sum", *arguments, checks_bounds=checks_bounds)
    fault = caught.value.fault
    assert fault.kind is FaultKind.OUT_OF_BUFFER
    assert "read of 1 bytes" in fault.message
    assert f"0 bytes past the end of data ({length} bytes)" in fault.message
    assert fault.location.symbol == "sum"


def test_writing_before_the_begin(machine):
    with pytest.raises(FirmwareFaultError, match=r"write of 1 bytes .* 2 bytes before out"):
        machine.call("fill", Buffer(bytes(8), "out"), 8, -2)


def test_writing_to_what_is_read_only(machine):
    with pytest.raises(FirmwareFaultError, match="in out, which is read-only"):
        machine.call("fill", Buffer(bytes(8), "out", is_writable=False), 8, 0)
    with pytest.raises(FirmwareFaultError, match="in out, which is read-only"):
        machine.call("fill", Buffer(bytes(8), "out", is_writable=False), 8, 0, checks_bounds=False)


def test_access_that_straddles_the_end(machine):
    with pytest.raises(FirmwareFaultError, match="reaches past the end of at"):
        machine.call("load", Buffer(bytes(3), "at"))


def test_machine_goes_on_after_a_fault(machine):
    with pytest.raises(FirmwareFaultError, match="null pointer"):
        machine.call("crash")
    assert machine.call("add", 1, 2).r0 == 3


def test_function_that_does_not_return(machine):
    with pytest.raises(EmulationError, match="spin did not return: instruction limit"):
        machine.call("spin", max_instructions=10_000)
    assert machine.call("add", 1, 2).r0 == 3


def test_deep_recursion_overflows_the_stack(machine):
    assert machine.call("deep", 100).r0 == 5050
    with pytest.raises(FirmwareFaultError, match=r"stack overflow(.|\n)*deep.* times"):
        machine.call("deep", 1000)


def test_broken_calling_convention_is_told(machine):
    with pytest.raises(EmulationError, match="clobber returns with r6 changed"):
        machine.call("clobber")
    with pytest.raises(EmulationError, match="clobber_float returns with s17 changed"):
        machine.call("clobber_float", 1)


def test_bad_arguments():
    with pytest.raises(EmulationError, match="does not fit into 32 bits"):
        marshal([1 << 40], {}, True)
    with pytest.raises(EmulationError, match="no room for a pointer at byte 2"):
        Buffer(bytes(4), pointers={2: Buffer(b"x")})
    with pytest.raises(EmulationError, match="misalignment 4096 exceeds a page"):
        Buffer(bytes(4), misalignment=4096)


@given(st.lists(st.integers(-(2**31), 2**32 - 1), max_size=12))
@settings(deadline=None)
def test_words_fill_registers_then_the_stack(values):
    placed = marshal(values, {}, True)
    words = [value & 0xFFFFFFFF for value in values]
    assert list(placed.core) == words[:4]
    assert list(struct.unpack(f"<{len(placed.stack) // 4}I", placed.stack)) == words[4:]


def test_boards_with_memory_where_calls_take_place_are_refused():
    for board in ("f446re", "f746zg", "k64f"):
        require_window(board_platform(find_board(board)).memories)
    with pytest.raises(EmulationError, match="memory at 0x60000000, where nor is"):
        require_window(board_platform(find_board("teensy41")).memories)
