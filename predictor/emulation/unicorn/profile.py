"""A run's instructions by function, from the block counter's tables."""

from __future__ import annotations

from predictor.emulation.machine import CallProfile, FunctionProfile, Profile
from predictor.emulation.unicorn.block_counter import BlockCounter
from predictor.emulation.unicorn.counter_state import NO_FUNCTION
from predictor.firmware.elf_image import ElfImage


def build_profile(counter: BlockCounter, image: ElfImage) -> Profile:
    """Names what was counted; functions that have not returned yet count up to now."""
    open_instructions = _open_instructions(counter)
    functions = [
        FunctionProfile(
            name=symbol.name,
            address=symbol.address,
            calls=count.calls,
            self_instructions=count.self_instructions,
            inclusive_instructions=count.inclusive_instructions + open_instructions.get(index, 0),
        )
        for index, (symbol, count) in enumerate(
            zip(image.functions, counter.functions, strict=True)
        )
        if count.calls or count.self_instructions
    ]
    functions.sort(key=lambda item: (-item.self_instructions, item.address))
    return Profile(tuple(functions), _calls(counter, image))


def _open_instructions(counter: BlockCounter) -> dict[int, int]:
    """Instructions since the outermost open call of each function on the stack."""
    spent: dict[int, int] = {}
    for frame in counter.frames[: counter.state.depth]:
        spent.setdefault(frame.function, counter.state.instructions - frame.start_instructions)
    return spent


def _calls(counter: BlockCounter, image: ElfImage) -> tuple[CallProfile, ...]:
    calls: list[CallProfile] = []
    for edge in counter.edges:
        if edge.key == 0:
            continue
        caller, callee = divmod(edge.key - 1, 1 << 32)
        calls.append(
            CallProfile(
                caller=None if caller == NO_FUNCTION else image.functions[caller].name,
                callee=image.functions[callee].name,
                calls=edge.calls,
                inclusive_instructions=edge.inclusive_instructions,
            )
        )
    calls.sort(key=lambda item: (-item.inclusive_instructions, item.callee))
    return tuple(calls)
