"""Counts what models with control flow execute: ``python -m tools.costs.control_flow OUT.csv``.

Builds ``random_control_flow`` models from seeds, runs each twice in TFLM firmware on an emulated
core and writes the instructions of both inferences: the first also runs what CALL_ONCE calls.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from predictor.boards.board import Board, find_board
from predictor.emulation.platform.description import Platform
from predictor.emulation.platform.roomy_board import with_more_memory
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.runner_report import read_report
from predictor.firmware.target import firmware_target
from predictor.firmware.user_tflm import read_user_tflm
from predictor.model.random_control_flow import inputs_of, random_control_flow
from predictor.prediction import predict
from predictor.proof.model_run import END_SYMBOL

COLUMNS = ("seed", "first", "second")
MODELS = 110


def count(seed: int, board: Board, platform: Platform, image: FirmwareImage) -> tuple[int, ...]:
    """Instructions of the first and the second inference, without the firmware's own hooks."""
    builder = random_control_flow(seed)
    content = builder.build()
    flat = b"".join(array.tobytes() for array in inputs_of(builder, seed))
    arena = predict(content, board, kernels=image.kernels).arena.required_bytes
    with UnicornMachine(platform) as machine:
        machine.load_elf(image.elf)
        machine.load_binary(model_blobs(content, [flat, flat], arena), image.blob_address)
        result = machine.run(until_symbol=END_SYMBOL, max_instructions=400_000_000)
    report, _ = read_report(result.uart)
    invokes = [run.invoke for _, run in sorted(report.runs.items())]
    return tuple(item.cyccnt - item.hook_cyccnt for item in invokes if item is not None)


def rows(board_name: str, tflm: Path) -> Iterator[tuple[int, ...]]:
    board, platform = with_more_memory(find_board(board_name))
    image = build(firmware_target(board, read_user_tflm(tflm)))
    for seed in range(MODELS):
        yield seed, *count(seed, board, platform, image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--board", default="f446re")
    parser.add_argument("--tflm-dir", type=Path, required=True, help="source tree with a library")
    parser.add_argument("--note", required=True, help="what was measured; written as a comment")
    arguments = parser.parse_args()
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {arguments.note}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(arguments.board, arguments.tflm_dir))


if __name__ == "__main__":
    main()
