"""Speed of the in-process emulator: ``python -m benchmarks.emulation``.

A DS-CNN on an emulated F446RE with instruction counts per operator, beside plain Unicorn without
any hook in the same process. Figures are emulated instructions per second on one core.
"""

from __future__ import annotations

import time

from predictor.boards.board import find_board
from predictor.emulation.model_run import build_image, random_inputs, run_model
from predictor.model.example_models import ds_cnn
from predictor.model.tflite_reader import read_graph
from predictor.report.prediction import Options, predict_graph

BOARD = "f446re"
LOOP = bytes.fromhex(
    "0138"  # subs r0, #1
    "0131"  # adds r1, #1
    "4a40"  # eors r2, r1
    "9b18"  # adds r3, r3, r2
    "0028"  # cmp r0, #0
    "f9d1"  # bne to the start
    "00be"  # bkpt
)


def counted_per_second(pairs: int = 5) -> float:
    """Instructions per second of whole firmware runs, counts per operator included."""
    board = find_board(BOARD)
    content = ds_cnn().build()
    options = Options(kernels="reference", tflm="2020.07", resolver="all")
    prediction = predict_graph(read_graph(content), board, options, content=content)
    image = build_image(board, None, None, print)
    inputs = random_inputs(prediction.graph, seed=0)
    best = 0.0
    for _ in range(pairs):
        run = run_model(content, prediction.arena, image, board, inputs)
        best = max(best, run.result.instructions / run.result.host_s)
    return best


def plain_per_second(iterations: int = 20_000_000, pairs: int = 5) -> float:
    """A loop of six instructions on Unicorn without hooks."""
    from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
    from unicorn.arm_const import UC_ARM_REG_R0, UC_CPU_ARM_CORTEX_M4

    best = 0.0
    for _ in range(pairs):
        engine = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        engine.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
        engine.mem_map(0x0800_0000, 0x1000)
        engine.mem_write(0x0800_0000, LOOP)
        engine.reg_write(UC_ARM_REG_R0, iterations)
        start = time.perf_counter()
        engine.emu_start(0x0800_0001, 0x0800_000C)
        best = max(best, 6 * iterations / (time.perf_counter() - start))
    return best


def main() -> None:
    counted = counted_per_second()
    plain = plain_per_second()
    print(f"with counts per operator  {counted / 1e6:6.0f} million instructions per second")
    print(f"plain Unicorn, one loop   {plain / 1e6:6.0f} million; ratio {counted / plain:.2f}")


if __name__ == "__main__":
    main()
