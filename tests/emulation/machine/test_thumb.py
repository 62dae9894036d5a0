"""The decoder in C and that in Python agree on any code."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from predictor.emulation.unicorn import block_counter
from predictor.emulation.unicorn.counter_state import NO_DEADLINE, CounterState, Function
from predictor.emulation.unicorn.thumb import Trait, decode_block, first_with_trait

BASE, STACK_POINTER = 0x08000000, 0x20010000
TELLING = [
    0xB510, 0xBD10, 0xB4FF, 0xBCFF, 0xB084, 0xB004,  # push, pop, sub sp, add sp
    0xE92D, 0xE8BD, 0xF84D, 0xF85D, 0xE96D, 0xED2D, 0xECBD, 0xF1AD, 0xF5AD, 0xF2AD,
    0x4770, 0x4798, 0x46F7, 0xF000, 0xF7FF, 0xF800, 0xE7FE, 0xBF08,  # jumps and calls
    0xEE30, 0x0A00, 0x0B00, 0xFE80, 0xEEB6, 0xEEB7, 0x0A40, 0x0AC0,  # floating point
    0x0D04, 0x8D04, 0x0D08, 0x0B04, 0x7D80, 0xFB04, 0x4FF0, 0x8010,  # second half-words
]  # fmt: skip
CODE = st.lists(
    st.one_of(st.sampled_from(TELLING), st.integers(0, 0xFFFF)), min_size=1, max_size=24
)


def _counted(library, words):
    """What the hook in C makes of a block: its counter's state."""
    code = struct.pack(f"<{len(words)}H", *words) + b"\xbf\xbf"
    host = ctypes.create_string_buffer(code, len(code))
    state = CounterState(
        deadline=NO_DEADLINE,
        stop_address=0xFFFFFFFF,
        stack_lowest=0xFFFFFFFF,
        region_count=1,
        function_count=1,
        depth=0,
    )

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_uint32))
    def read_stack_pointer(engine, register, value):
        value[0] = STACK_POINTER
        return 0

    functions = (Function * 1)()
    starts = (ctypes.c_uint32 * 1)(BASE)
    state.reg_read = ctypes.cast(read_stack_pointer, ctypes.c_void_p).value
    state.functions = ctypes.addressof(functions)
    state.function_starts = ctypes.addressof(starts)
    region = state.regions[0]
    region.base, region.bytes, region.memory = BASE, len(code), ctypes.addressof(host)
    hook = library.blockcount_profile_hook
    hook.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
    hook(None, BASE, 2 * len(words), ctypes.addressof(state))
    return state


@given(CODE)
@example([0xF5AD, 0x5D80])  # sub.w sp, sp, #4096: a rotated immediate
@example([0xF2AD, 0x7DFF])  # subw sp, sp, #2047
@settings(deadline=None, max_examples=500)
def test_both_decoders_agree(words):
    library = block_counter.native_library()
    if library is None:
        pytest.skip("the extension module is not built: pip install -e .")
    if words[-1] >> 11 >= 0x1D:
        words = [*words, 0xBF00]  # the C hook always gets whole instructions
    code = struct.pack(f"<{len(words)}H", *words)
    block = decode_block(code)
    state = _counted(library, words)
    assert state.instructions == block.instructions
    assert state.last_traits == block.traits
    lowest = max(STACK_POINTER - block.stack_bytes, 0)
    assert state.stack_lowest == (lowest if block.stack_bytes else 0xFFFFFFFF)


def test_what_blocks_do():
    push = decode_block(struct.pack("<4H", 0xB570, 0xB084, 0xB004, 0xBD70))
    assert (push.instructions, push.stack_bytes, push.traits) == (4, 16 + 16, Trait.JUMP)
    call = decode_block(struct.pack("<3H", 0xBF00, 0xF000, 0xF801))
    assert (call.instructions, call.traits) == (2, Trait.CALL)
    assert decode_block(struct.pack("<2H", 0xF5AD, 0x5D80)).stack_bytes == 4096
    assert decode_block(struct.pack("<2H", 0xF2AD, 0x7DFF)).stack_bytes == 2044
    floats = struct.pack("<5H", 0xBF00, 0xEE30, 0x0A00, 0xFE80, 0x0A00)
    assert decode_block(floats).traits == Trait.FPU | Trait.FPV5
    assert (first_with_trait(floats, Trait.FPU), first_with_trait(floats, Trait.FPV5)) == (2, 6)
    assert decode_block(b"").instructions == 0
