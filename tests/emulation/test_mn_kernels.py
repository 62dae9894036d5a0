"""The project's own kernels under TFLM, in firmware on emulated boards.

Set MCU_PREDICTOR_TFLM (see firmware/test_own_tflm.py) to run them on current TFLM, too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from kernels.binding import NativeLibrary
from kernels.device_runtime import run_device_model
from predictor.boards.board import find_board
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.target import firmware_target
from predictor.firmware.tflm_library import Tflm
from predictor.firmware.user_tflm import read_user_tflm
from predictor.model.device.device_model import device_model, preparable
from predictor.model.example_models import autoencoder, ds_cnn
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.prediction import Prediction, predict
from predictor.proof.model_run import HostCheck, ModelRun, random_inputs, run_model
from tests.kernels.conftest import host  # noqa: F401 - a fixture
from tests.networks import int4_layers, network, value_layers
from tests.shared_data import MODELS, needs_shared, truth

pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.usefixtures("emulation_tools"),
    pytest.mark.timeout(900),
]
BOARDS = ("f446re", "f746zg")
TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM") or None
IS_REFERENCE = TFLM_DIR is not None and read_user_tflm(Path(TFLM_DIR)).kernels == "reference"
TFLM = [
    None,
    pytest.param(
        TFLM_DIR,
        marks=pytest.mark.skipif(
            not IS_REFERENCE, reason="MCU_PREDICTOR_TFLM names no TFLM build with reference kernels"
        ),
    ),
]
NETWORKS = {
    "s8": network(),
    "s8_w4": network(weights="int4"),
    "s4": network("int4", "int4", channels=23),
    "s4_w8": network("int4", "int8"),
    "s4_layers": int4_layers(),
    "value_layers": value_layers(),
    "ds_cnn": read_graph(ds_cnn(blocks=2).build()),
    "autoencoder_s4": read_graph(autoencoder(type="int4").build()),
}


def tflm(folder: str | None) -> Tflm:
    return PackagedTflm() if folder is None else read_user_tflm(Path(folder))


@cache
def image(
    board: str,
    tflm_dir: str | None,
    registers_builtin: bool,
    operators: frozenset[str] | None = None,
) -> FirmwareImage:
    target = firmware_target(board, tflm(tflm_dir), "mn")
    return build(replace(target, operators=operators, registers_builtin=registers_builtin))


def run(content: bytes, board: str, tflm_dir: str | None = None) -> tuple[ModelRun, Prediction]:
    predicted = predict(content, board, kernels="mn", tflm=tflm(tflm_dir).revision)
    # All of current TFLM leaves too little flash for large models.
    operators = predicted.deployed.graph.operator_labels if len(content) > 50_000 else None
    result = run_model(
        predicted.deployed.content or b"",
        predicted.arena,
        image(board, tflm_dir, predicted.registers_builtin, operators),
        find_board(board),
    )
    assert result.failure is None
    assert result.used_bytes == predicted.arena.used_bytes
    assert result.head_bytes == predicted.arena.nonpersistent_bytes
    return result, predicted


def expected_outputs(library: NativeLibrary, graph: Graph) -> list[bytes]:
    """What the plain loops of kernels/reference compute for the inputs of `run`."""
    device = device_model(graph)
    inputs = random_inputs(device, seed=0)
    outputs = run_device_model(library, device, inputs, reference=True)
    return [output.tobytes() for output in outputs]


@pytest.mark.parametrize("tflm_dir", TFLM)
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(
    name: str,
    board: str,
    tflm_dir: str | None,
    host: NativeLibrary,  # noqa: F811
) -> None:
    """Arena as predicted; outputs those of the reference, and of TFLM where it has the types."""
    if tflm_dir is not None and board != "f446re":
        pytest.skip("MCU_PREDICTOR_TFLM is a build for one core")
    graph = NETWORKS[name]
    result, predicted = run(write_model(graph), board, tflm_dir)
    assert list(result.outputs) == expected_outputs(host, graph)
    has_int4 = "s4" in name
    assert result.host is (HostCheck.UNCHECKED if has_int4 else HostCheck.EQUAL)
    assert predicted.deployed.is_device_model == (tflm_dir is None or has_int4)


@pytest.mark.parametrize("name", ["s8", "s4_w8"])
def test_tables_in_the_arena(name: str, host: NativeLibrary) -> None:  # noqa: F811
    graph = NETWORKS[name]
    in_arena, _ = run(write_model(device_model(graph, "arena")), "f446re")
    assert list(in_arena.outputs) == expected_outputs(host, graph)
    in_flash, _ = run(write_model(graph), "f446re")
    assert in_arena.tail_bytes is not None
    assert in_flash.tail_bytes is not None
    assert in_arena.tail_bytes - in_flash.tail_bytes > 8 * 5 * 24


@pytest.mark.parametrize("tflm_dir", TFLM)
@pytest.mark.parametrize("name", ["s8", "s8_w4", "s4", "s4_w8"])
def test_prepared_filters(
    name: str,
    tflm_dir: str | None,
    host: NativeLibrary,  # noqa: F811
) -> None:
    graph = NETWORKS[name]
    device = device_model(graph, prepared=preparable(graph))
    result, _ = run(write_model(device), "f446re", tflm_dir)
    assert list(result.outputs) == expected_outputs(host, graph)


def test_a_network_of_4_bits_takes_half_the_activation_memory(
    host: NativeLibrary,  # noqa: F811
) -> None:
    """DS-CNN, s4 x s4 against int8: what is planned for tensors, scratch buffers aside."""
    planned = {}
    for kind in ("int8", "int4"):
        graph = read_graph(ds_cnn(type=kind).build())
        result, predicted = run(write_model(graph), "f446re")
        assert list(result.outputs) == expected_outputs(host, graph)
        tensors = [buffer for buffer in predicted.arena.buffers if buffer.tensor is not None]
        planned[kind] = max(buffer.offset + buffer.size_bytes for buffer in tensors)
        assert result.arena_bytes == predicted.arena.required_bytes
    # Two tensors of 25 x 5 x 64 elements are alive at a time.
    assert planned["int8"] >= 2 * 25 * 5 * 64
    assert planned["int4"] <= planned["int8"] / 2 + 512


def test_malformed_options_end_in_an_error() -> None:
    """Not in a fault: they are checked on the device, too."""
    device = device_model(NETWORKS["s8"])
    predicted = predict(write_model(device), "f446re", kernels="mn", tflm="2020.07")
    rng = np.random.default_rng(5)
    for position, op in enumerate(device.main.operators):
        if not op.is_custom or op.custom_options is None:
            continue
        damages = [
            op.custom_options[:-4],
            op.custom_options + bytes(4),
            b"\2" + op.custom_options[1:],
            op.custom_options[: 4 * int(rng.integers(1, len(op.custom_options) // 4))],
            b"",
        ]
        for options in damages[position % 5 :: 5]:
            operators = list(device.main.operators)
            operators[position] = replace(op, custom_options=options)
            damaged = replace(device, subgraphs=(replace(device.main, operators=tuple(operators)),))
            result = run_model(
                write_model(damaged),
                predicted.arena,
                image("f446re", None, False),
                find_board("f446re"),
            )
            assert result.failure is not None
            assert "refuses the model" in result.failure


@needs_shared
@pytest.mark.parametrize("tflm_dir", TFLM)
@pytest.mark.parametrize("name", ["zoo_ad_small_int8", "zoo_ds_cnn_s_quantized"])
def test_whole_networks_beat_cmsis_nn(name: str, tflm_dir: str | None) -> None:
    """Equal to TFLM's reference to the bit, in fewer instructions than upstream's CMSIS-NN."""
    result, _ = run((MODELS / f"{name}.tflite").read_bytes(), "f446re", tflm_dir)
    assert result.host is HostCheck.EQUAL
    assert result.invoke_instructions is not None
    measured = truth("arena_m4.json")[f"{name}.tflite"]["invoke_insns"]
    assert result.invoke_instructions < 0.6 * measured
