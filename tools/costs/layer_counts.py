"""Counts what layers execute on an emulated core: ``python -m tools.costs.layer_counts OUT.csv``.

Builds models of one layer after the other from seeds, runs them in TFLM firmware, and writes what
each operator executed: instructions, loads, stores, multiply-accumulate instructions. Rows name the
seed, so that ``tools.costs.fit_costs`` can build the same models again and fit the costs of loops.

Loads and stores are counted from the code of the blocks that ran, so that those that an IT block
skips count, too.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from predictor.boards.board import find_board
from predictor.emulation.platform.roomy_board import with_more_memory
from predictor.emulation.unicorn import thumb
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.runner_report import read_report
from predictor.firmware.target import firmware_target
from predictor.firmware.user_tflm import read_user_tflm
from predictor.prediction import predict
from predictor.proof.model_run import END_SYMBOL, random_inputs
from tools.costs.layer_models import MODELS, is_device_model, layer_model

COLUMNS = ("model", "index", "operator", "instructions", "loads", "stores", "mac_instructions")


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """What one pass through a block executes."""

    loads: int
    stores: int
    macs: int


def block_counts(code: bytes) -> BlockCounts:
    """Counts from the encodings (Armv7-M architecture reference manual, chapter A5)."""
    loads = stores = macs = 0
    for _, first, second in thumb.instructions(code):
        read, written = accesses_16(first) if second is None else accesses_32(first, second)
        loads, stores = loads + read, stores + written
        macs += second is not None and is_mac(first, second)
    return BlockCounts(loads, stores, macs)


def accesses_16(first: int) -> tuple[int, int]:
    """(loads, stores) of a 16-bit instruction."""
    group = first >> 12
    if first >> 11 == 0b01001:
        return 1, 0
    if group == 0b0101:
        return (1, 0) if first >> 9 & 7 >= 3 else (0, 1)
    if group in (6, 7, 8, 9):
        return (1, 0) if first & 0x800 else (0, 1)
    if first & 0xFE00 == 0xB400:
        return 0, (first & 0x1FF).bit_count()
    if first & 0xFE00 == 0xBC00:
        return (first & 0x1FF).bit_count(), 0
    if group == 0b1100:
        count = (first & 0xFF).bit_count()
        return (count, 0) if first & 0x800 else (0, count)
    return 0, 0


def accesses_32(first: int, second: int) -> tuple[int, int]:
    """(loads, stores) of a 32-bit instruction; a double word counts twice."""
    count, is_load = 0, bool(first & 0x10)
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:  # TBB, TBH
        count = 1
    elif first & 0xFE40 == 0xE800:
        count = second.bit_count()
    elif first & 0xFE40 == 0xE840:
        count = 2
    elif first & 0xFE00 == 0xF800:
        count = 1
    elif first & 0xFF20 == 0xED00 and second & 0x0E00 == 0x0A00:
        count = 2 if second & 0x100 else 1
    elif first & 0xFE00 == 0xEC00 and second & 0x0E00 == 0x0A00 and first & 0x01A0:
        count = second & 0xFF
    return (count, 0) if is_load else (0, count)


def is_mac(first: int, second: int) -> bool:
    """Whether a 32-bit instruction multiplies and accumulates."""
    if first & 0xFF80 == 0xFB00:
        return second >> 12 != 15 and not (first & 0x70 == 0 and second & 0x10)
    if first & 0xFFC0 == 0xFBC0:
        return True
    return first & 0xFFB0 in (0xEE00, 0xEEA0) and second & 0x0E00 == 0x0A00


class Watch:
    """Counts what runs between the entry of an operator and its return to the runner."""

    def __init__(self, machine: UnicornMachine, image: FirmwareImage) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        core = machine._core
        functions = core.image.functions
        self._enter = next(
            item.address & ~1 for item in functions if "OperatorCounter6Invoke" in item.name
        )
        self._of_the_runner = [
            range(item.address & ~1, (item.address & ~1) + item.size_bytes)
            for item in functions
            if "OperatorCounter" in item.name or "cycle_counter" in item.name
        ]
        self._engine, self._memory = core.engine, core.memory
        self._decoded: dict[tuple[int, int], BlockCounts] = {}
        self._ran: Counter[tuple[int, int]] = Counter()
        self._return_address = 0
        self.operators: list[BlockCounts] = []
        core.engine.hook_add(UC_HOOK_BLOCK, self._on_block)

    def _on_block(self, _engine: object, address: int, size: int, _data: object) -> None:
        if self._return_address:
            self._ran[address, size] += 1
            if address == self._return_address:
                self._return_address = 0
                self.operators.append(self._sum())
        elif address == self._enter:
            from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R2

            # Without a context (the third argument) the runner measures its own hooks.
            if self._engine.reg_read(UC_ARM_REG_R2):
                self._ran.clear()
                self._return_address = self._engine.reg_read(UC_ARM_REG_LR) & ~1

    def _sum(self) -> BlockCounts:
        loads = stores = macs = 0
        for key, runs in self._ran.items():
            if any(key[0] in span for span in self._of_the_runner):
                continue
            found = self._decoded.get(key)
            if found is None:
                found = self._decoded[key] = block_counts(self._memory.read(*key))
            loads += runs * found.loads
            stores += runs * found.stores
            macs += runs * found.macs
        return BlockCounts(loads, stores, macs)


@cache
def firmware(board: str, tflm: Path | None, kernels: str | None, is_device: bool) -> FirmwareImage:
    """Firmware with all operators, for the board with more memory.

    ``is_device``: for device models, whose builtin operators have TFLM's kernels.
    """
    target = firmware_target(
        with_more_memory(find_board(board))[0],
        None if tflm is None else read_user_tflm(tflm),
        kernels,
    )
    is_beside = target.kernel_set.on is not None
    return build(replace(target, registers_builtin=is_beside and not is_device))


def count(
    name: str, board_name: str, tflm: Path | None, kernels: str | None
) -> list[tuple[object, ...]]:
    """One row for each operator of a model; none where the firmware failed."""
    board, platform = with_more_memory(find_board(board_name))
    image = firmware(board_name, tflm, kernels, is_device_model(name))
    content = layer_model(name)
    prediction = predict(
        content, board, tflm=image.tflm_revision, kernels=image.kernels, resolver="all"
    )
    inputs = random_inputs(prediction.graph, seed=1)
    flat = b"".join(array.tobytes() for array in inputs)
    blob = model_blobs(content, [flat], prediction.arena.required_bytes)
    machine = UnicornMachine(platform)
    with machine:
        machine.load_elf(image.elf)
        machine.load_binary(blob, image.blob_address)
        watch = Watch(machine, image)
        result = machine.run(until_symbol=END_SYMBOL, max_instructions=400_000_000)
    report, _ = read_report(result.uart)
    run = report.runs.get(0)
    if run is None or run.invoke is None:
        return []
    operators = sorted(run.operators, key=lambda item: item.index)
    counts = watch.operators[: len(operators)]
    return [
        (name, item.index, item.name, item.cyccnt, found.loads, found.stores, found.macs)
        for item, found in zip(operators, counts, strict=True)
    ]


def rows(
    names: list[str], board: str, tflm: Path | None, kernels: str | None
) -> Iterator[tuple[object, ...]]:
    for is_device in {is_device_model(name) for name in names}:
        firmware(board, tflm, kernels, is_device)
    with ProcessPoolExecutor(2) as pool:
        pending = {pool.submit(count, name, board, tflm, kernels): name for name in names}
        done: dict[str, list[tuple[object, ...]]] = {}
        for future in as_completed(pending):
            name = pending[future]
            try:
                done[name] = future.result()
            except Exception as error:
                print(f"{name}: {error}", file=sys.stderr)
    for name in names:
        yield from done.get(name, [])


def write_counts(
    path: Path, note: str, names: list[str], board: str, tflm: Path | None, kernels: str | None
) -> None:
    """Counts models and writes their rows, below a comment that says what was measured."""
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {note}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(names, board, tflm, kernels))
    part.replace(path)


def count_again(path: Path, board: str, tflm: Path | None, kernels: str | None) -> None:
    """Counts the models of a file again."""
    note, *lines = path.read_text(encoding="utf-8").splitlines()
    names = list(dict.fromkeys(row["model"] for row in csv.DictReader(lines)))
    write_counts(path, note.removeprefix("# "), names, board, tflm, kernels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--board", default="f446re")
    parser.add_argument("--tflm-dir", type=Path, help="TFLM source tree with a library in it")
    parser.add_argument("--note", required=True, help="what was measured; written as a comment")
    parser.add_argument("--kernels", help="kernel set of the firmware")
    parser.add_argument("--kinds", nargs="+", default=list(MODELS), help="kinds of models")
    parser.add_argument("--first", type=int, help="only so many models of each kind")
    arguments = parser.parse_args()
    names = [f"{kind}:{seed}" for kind in arguments.kinds for seed in range(MODELS[kind])]
    if arguments.first is not None:
        names = [name for name in names if int(name.split(":")[1]) < arguments.first]
    write_counts(
        arguments.out,
        arguments.note,
        names,
        arguments.board,
        arguments.tflm_dir,
        arguments.kernels,
    )


if __name__ == "__main__":
    main()
