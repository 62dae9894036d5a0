"""What watching every access costs, and how fast a recorded run judges memory plans.

``python -m benchmarks.shadow_memory MODEL``: a model that fits the board in the packaged TFLM.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from predictor.boards.board import find_board
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.proof.model_run import RunOptions, random_inputs, run_inputs
from predictor.proof.plan_proof import Firmware, FirmwareModel, recorded_uses
from predictor.proof.shadow_memory import stale_reads
from predictor.proof.shadow_run import without_plan

PLANS = 100


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--board", default="f746zg", show_default=True)
def main(model: Path, board: str) -> None:
    """Prints processor seconds of a run, of a watched run, and of a judged plan."""
    content = without_plan(model.read_bytes())
    planned = firmware_target(board).linking_all(content)
    arena = planned.prediction.arena
    graph = arena.prepared.graph
    firmware = Firmware(build(planned.target), board_platform(find_board(board)))
    sample = random_inputs(graph, 0)
    start = time.process_time()
    result = run_inputs(
        UnicornMachine(firmware.platform),
        content,
        graph,
        firmware.image,
        [sample],
        arena.required_bytes,
        RunOptions(),
    )
    plain_s = time.process_time() - start
    start = time.process_time()
    uses = recorded_uses(FirmwareModel(content, arena), firmware, sample)
    watched_s = time.process_time() - start
    offsets = [buffer.offset for buffer in uses.buffers]
    start = time.process_time()
    for _ in range(PLANS):
        stale_reads(uses, offsets)
    judged_s = (time.process_time() - start) / PLANS
    click.echo(f"{model.name} on {board}: {result.instructions:,} instructions")
    click.echo(f"run           {plain_s:8.3f} s")
    click.echo(f"watched run   {watched_s:8.3f} s, {watched_s / plain_s:.1f} times as long")
    click.echo(f"a plan judged {judged_s:8.4f} s")


if __name__ == "__main__":
    main()
