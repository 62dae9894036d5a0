"""Models under the runner on emulated boards, against TFLM's runtime on this machine."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from predictor.emulation.machine import FaultKind
from predictor.errors import EmulationError
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.protocol import AllocationFailed, BlobDamaged, Failed, UnsupportedOperator
from predictor.firmware.runner_report import FirmwareReport, read_report
from predictor.model.builder import ModelBuilder
from predictor.model.builder.tensors import NUMPY_TYPES
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_runtime import Arrays, HostRuntime, random_inputs
from tests.emulation.firmware.conftest import BOARDS, BuildRunner, RunModel, emulate
from tests.shared_data import MODELS, needs_shared, truth

pytestmark = [pytest.mark.toolchain, pytest.mark.timeout(1200)]

# Head and tail of this revision's arena, measured on an emulated Cortex-M4 by other firmware that
# registered all operators (head + tail = used).
ARENA_2020 = {
    "zoo_ad_small_int8": (98_304, 37_712),
    "tflm_person_detect": (55_296, 76_848),
    "mlperf_ic_int8": (49_152, 12_816),
    "mlperf_kws_int8": (16_000, 18_192),
    "zoo_ds_cnn_s_quantized": (16_000, 18_416),
    "mlperf_ad01_int8": (768, 3_632),
    "tflm_micro_speech_quantized": (5_968, 1_392),
    "tflm_hello_world_int8": (32, 1_168),
    "tflm_hello_world_float": (128, 880),
}
# Their arenas, or their constants, exceed this board.
TOO_LARGE = {
    ("f446re", "zoo_ad_small_int8"),
    ("f446re", "tflm_person_detect"),
}
RUNS = [
    run for run in itertools.product(BOARDS, ARENA_2020) if run not in TOO_LARGE
]  # (board, model)


def _xorshift_inputs(graph: Graph) -> Arrays:
    """The inputs that the runner makes itself (firmware/PROTOCOL.md)."""
    state = 1
    arrays = []
    for index in graph.main.inputs:
        tensor = graph.main.tensors[index]
        values = []
        for _ in range(int(np.prod(tensor.shape))):
            state ^= state << 13 & 0xFFFFFFFF
            state ^= state >> 17
            state ^= state << 5 & 0xFFFFFFFF
            values.append(state & 255)
        data = np.array(values, np.uint8).view(np.int8)
        dtype = np.dtype(NUMPY_TYPES[tensor.type])
        data = data / np.float32(128) if dtype == np.float32 else data
        arrays.append(data.astype(dtype).reshape(tensor.shape))
    return tuple(arrays)


def _check_outputs(report: FirmwareReport, run: int, expected: Arrays) -> None:
    report.require_success()
    for index, array in enumerate(expected):
        got = report.runs[run].output_bytes(index)
        if array.dtype == np.float32:  # x86's libm and newlib differ in the last place
            np.testing.assert_allclose(np.frombuffer(got, np.float32), array.ravel(), rtol=1e-5)
        else:
            assert got == array.tobytes()


@needs_shared
@pytest.mark.parametrize(("board", "name"), RUNS, ids=[f"{b}-{n}" for b, n in RUNS])
def test_known_models(
    board: str, name: str, run_model: RunModel, tflite_micro: HostRuntime
) -> None:
    model = (MODELS / f"{name}.tflite").read_bytes()
    report = run_model(board, model)
    expected = tflite_micro.run(model, _xorshift_inputs(read_graph(model)))
    assert not expected.error
    _check_outputs(report, 0, expected.outputs)
    assert report.arena is not None
    assert (report.arena.head_bytes, report.arena.tail_bytes) == ARENA_2020[name]
    assert report.arena.used_bytes == sum(ARENA_2020[name])
    checksums = [item["crc32"] for item in truth("arena_m4.json")[f"{name}.tflite"]["outputs"]]
    assert [f"{output.crc:08x}" for output in report.runs[0].outputs] == checksums


@pytest.mark.parametrize("board", BOARDS)
def test_given_inputs(board: str, run_model: RunModel, tflite_micro: HostRuntime) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    inputs = [random_inputs([((1, 49, 10, 1), np.int8)], seed) for seed in range(2)]
    report = run_model(board, model, [array.tobytes() for (array,) in inputs])
    assert sorted(report.runs) == [0, 1]
    for run, arrays in enumerate(inputs):
        _check_outputs(report, run, tflite_micro.run(model, arrays).outputs)


def test_operators_are_counted_each(run_model: RunModel) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    report = run_model("f446re", model)
    run = report.runs[0]
    names = [op.name for op in read_graph(model).main.operators]
    assert [(op.index, op.name, op.calls) for op in run.operators] == [
        (index, name, 1) for index, name in enumerate(names)
    ]
    assert all(op.cyccnt > 0 for op in run.operators)
    # What is left is the interpreter's loop over the operators.
    rest = run.cyccnt - sum(op.cyccnt for op in run.operators)
    assert 0 < rest < 100 * len(names)


def test_counts_are_the_same_in_each_run_and_firmware(run_model: RunModel) -> None:
    """Integer kernels do the same work for any input; fewer linked operators change nothing."""
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    operators = tuple(sorted({op.name for op in read_graph(model).main.operators}))
    arrays = [random_inputs([((1, 49, 10, 1), np.int8)], seed)[0].tobytes() for seed in range(2)]
    all_operators = run_model("f446re", model, arrays)
    few_operators = run_model("f446re", model, arrays, operators=operators)
    convolutions = [
        [op.cyccnt for op in report.runs[run].operators if op.name == "AVERAGE_POOL_2D"]
        for report in (all_operators, few_operators)
        for run in (0, 1)
    ]
    assert convolutions[0] != []
    assert all(counts == convolutions[0] for counts in convolutions)
    assert few_operators.arena is not None
    assert all_operators.arena is not None
    assert few_operators.arena.used_bytes == all_operators.arena.used_bytes


def test_the_smallest_arena(run_model: RunModel) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    arena = run_model("f446re", model).arena
    assert arena is not None
    report = run_model("f446re", model, arena_bytes=arena.used_bytes)
    report.require_success()
    assert report.arena is not None
    assert report.arena.used_bytes == report.arena.arena_bytes == arena.used_bytes


@pytest.mark.parametrize("arena_bytes", [16, 64, 1000, 5000, 20_000])
def test_an_arena_that_is_short(arena_bytes: int, run_model: RunModel) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    report = run_model("f446re", model, arena_bytes=arena_bytes)
    assert isinstance(report.failure, AllocationFailed)
    assert report.failure.missing_bytes > 0
    assert report.failure.available_bytes <= arena_bytes
    assert report.end is not None
    assert report.end.status == "failed"
    with pytest.raises(EmulationError, match="bytes short"):
        report.require_success()


def test_an_arena_beyond_ram(run_model: RunModel) -> None:
    report = run_model("f446re", EXAMPLE_MODELS["ds_cnn"]().build(), arena_bytes=1 << 20)
    assert isinstance(report.failure, Failed)
    assert report.failure.reason == "arena_exceeds_ram"
    assert 100_000 < report.failure.value < 131_072


def _leaky_relu() -> bytes:
    builder = ModelBuilder("leaky")
    builder.output(builder.leaky_relu(builder.input((1, 4, 4, 2), "int8")))
    return builder.build()


def test_an_operator_that_this_revision_lacks(run_model: RunModel) -> None:
    report = run_model("f446re", _leaky_relu())
    assert isinstance(report.failure, UnsupportedOperator)
    assert (report.failure.code, report.failure.name) == (98, "LEAKY_RELU")


def test_an_operator_that_was_not_linked(run_model: RunModel) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    report = run_model("f446re", model, operators=("CONV_2D",))
    assert isinstance(report.failure, UnsupportedOperator)
    assert report.failure.name == "DEPTHWISE_CONV_2D"


@needs_shared
def test_a_code_that_no_operator_has_is_passed_over(run_model: RunModel) -> None:
    """MLPerf's image classification lists QUANTIZE and does not use it; TFLM does not mind."""
    model = (MODELS / "mlperf_ic_int8.tflite").read_bytes()
    graph = read_graph(model)
    used = {op.name for op in graph.main.operators}
    assert "QUANTIZE" not in used
    run_model("f446re", model, operators=tuple(sorted(used))).require_success()


def test_no_model(build_runner: BuildRunner) -> None:
    report, _ = read_report(emulate(build_runner("f446re"), b"").uart)
    assert report.failure == Failed("model_missing", 0)


@pytest.mark.parametrize("blank", [b"\xff", b"\0"])
def test_a_model_that_was_cut_off(blank: bytes, build_runner: BuildRunner) -> None:
    blob = model_blobs(EXAMPLE_MODELS["ds_cnn"]().build())
    cut = blob[: len(blob) // 2] + blank * (len(blob) - len(blob) // 2)
    report, _ = read_report(emulate(build_runner("f446re"), cut).uart)
    assert isinstance(report.failure, BlobDamaged)
    assert len(blob) // 2 - 64 < report.failure.blank_tail_bytes <= len(blob) // 2
    with pytest.raises(EmulationError, match="it is cut off"):
        report.require_success()


@pytest.mark.parametrize("place", [8, 17, 40, 5000])
def test_a_model_with_an_altered_byte(place: int, build_runner: BuildRunner) -> None:
    blob = bytearray(model_blobs(EXAMPLE_MODELS["ds_cnn"]().build()))
    blob[place] ^= 4
    report, _ = read_report(emulate(build_runner("f446re"), bytes(blob)).uart)
    assert isinstance(report.failure, BlobDamaged)


def test_a_length_beyond_flash(build_runner: BuildRunner) -> None:
    blob = bytearray(model_blobs(EXAMPLE_MODELS["ds_cnn"]().build()))
    blob[8:12] = (0xFFFFFFF0).to_bytes(4, "little")
    report, _ = read_report(emulate(build_runner("f446re"), bytes(blob)).uart)
    assert isinstance(report.failure, BlobDamaged)
    assert report.failure.payload_bytes > report.failure.room_bytes


def test_not_a_model(run_model: RunModel) -> None:
    builder_bytes = bytearray(EXAMPLE_MODELS["ds_cnn"]().build())
    root = int.from_bytes(builder_bytes[:4], "little")
    vtable = root - int.from_bytes(builder_bytes[root : root + 4], "little", signed=True)
    field = int.from_bytes(builder_bytes[vtable + 4 : vtable + 6], "little")
    builder_bytes[root + field : root + field + 4] = (2).to_bytes(4, "little")
    report = run_model("f446re", bytes(builder_bytes))
    assert report.failure == Failed("schema_version", 2)


@pytest.mark.parametrize("count", [1, 489, 491])
def test_an_input_of_another_size(count: int, run_model: RunModel) -> None:
    report = run_model("f446re", EXAMPLE_MODELS["ds_cnn"]().build(), [bytes(count)])
    assert report.failure == Failed("input_size", count)


def test_the_stack_is_measured(run_model: RunModel) -> None:
    report = run_model("f446re", EXAMPLE_MODELS["ds_cnn"]().build())
    assert report.stack is not None
    assert report.stack.capacity_bytes == 4096
    assert 400 < report.stack.used_bytes < 2000


def test_a_stack_that_is_too_small(build_runner: BuildRunner) -> None:
    image = build_runner("f446re", stack_bytes=512)
    result = emulate(image, model_blobs(EXAMPLE_MODELS["ds_cnn"]().build()))
    assert result.fault is not None
    assert result.fault.kind is FaultKind.STACK_OVERFLOW
