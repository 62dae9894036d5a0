"""The runner on a TFLM that its user built: the current API, against upstream's measurements.

Set MCU_PREDICTOR_TFLM to a tflite-micro tree in which `make ... TARGET=cortex_m_generic
TARGET_ARCH=cortex-m4+fp BUILD_TYPE=release_with_logs microlite` has run, or to one of its `gen`
folders; `OPTIMIZED_KERNEL_DIR=cmsis_nn` for the measurements with CMSIS-NN. Graphs run on every
core that the library is for: code for a Cortex-M0+ on an M3, too, that for an M4 on an M33.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.backends import AUTO, emulated_board
from predictor.errors import UsageError
from predictor.firmware.build import build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.target import firmware_target
from predictor.firmware.user_tflm import read_user_tflm
from predictor.model.graph import TensorType
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_check import HostCheck
from predictor.proof.model_run import run_model
from tests.emulation.firmware.conftest import emulate, report_of
from tests.shared_data import MODELS, needs_shared, truth

TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM", "")
pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.timeout(600),
    needs_shared,
    pytest.mark.skipif(not TFLM_DIR, reason="MCU_PREDICTOR_TFLM names no TFLM build"),
]
TRUTH = {"cmsis_nn": "arena_m4.json", "reference": "arena_m4_reference.json"}
# What upstream's profiler adds to each operator's count.
PROFILER_INSTRUCTIONS = range(28, 36)


@pytest.mark.parametrize(
    "name",
    ["tflm_hello_world_int8", "mlperf_kws_int8", "mlperf_ic_int8", "tflm_person_detect"],
)
def test_figures_of_upstream(name: str) -> None:
    model = (MODELS / f"{name}.tflite").read_bytes()
    target = firmware_target("f446re", read_user_tflm(Path(TFLM_DIR)))
    operators = frozenset(op.name for op in read_graph(model).main.operators)
    image = build(replace(target, operators=operators))
    expected = truth(TRUTH[image.kernels])[f"{name}.tflite"]
    report = report_of(emulate(image, model_blobs(model)))
    report.require_success()
    assert report.arena is not None
    assert report.arena.used_bytes == expected["arena_used_bytes"]
    assert report.arena.head_bytes == expected["non_persistent"]
    assert report.arena.tail_bytes == expected["persistent"]
    checksums = [item["crc32"] for item in expected["outputs"]]
    assert [f"{output.crc:08x}" for output in report.runs[0].outputs] == checksums
    for operator, (name, instructions) in zip(
        report.runs[0].operators, expected["ops"], strict=True
    ):
        assert operator.name == name
        assert instructions - operator.cyccnt in PROFILER_INSTRUCTIONS
    run = report.runs[0]
    assert abs(run.cyccnt - expected["invoke_insns"]) <= 2 * len(run.operators)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["nrf52840", "f746zg", "pico", "lpc1768", "u575zi", "mps3-an547"])
def test_twenty_graphs(name: str) -> None:
    """Arena and outputs, which are integers, on a Cortex-M4, M7, M0+, M3, M33 and M55.

    Without INT4 weights on the M55: GCC 12 compiles the predicate of their depthwise kernel, a
    constant, to all ones (its bug 107674).
    """
    board = emulated_board(AUTO, find_board(name))
    try:
        target = firmware_target(board, read_user_tflm(Path(TFLM_DIR)))
    except UsageError as error:
        pytest.skip(str(error))
    image, extensions = build(target), board.core.model.extensions

    def runs_as_predicted(seed: int) -> bool:
        content = random_graph(seed, max_operators=20).build()
        predicted = target.linking_all(content).prediction
        types = {tensor.type for tensor in predicted.graph.main.tensors}
        if not predicted.fits or ("mve" in extensions and TensorType.INT4 in types):
            return False
        run = run_model(content, predicted.arena, image, board)
        assert (seed, run.failure, run.host) == (seed, None, HostCheck.EQUAL)
        assert run.used_bytes == predicted.arena.used_bytes
        assert run.head_bytes == predicted.arena.nonpersistent_bytes
        assert run.tail_bytes == predicted.arena.persistent_bytes
        return True

    assert sum(islice(filter(None, map(runs_as_predicted, count())), 20)) == 20
