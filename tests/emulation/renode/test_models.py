"""Whole models through the Renode backend: on the stand-in and, where there is one, on Renode."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.renode import console as renode_console
from predictor.emulation.renode import python_package
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.tflite_writer import write_model
from predictor.proof.model_run import ModelRun, RunOptions, run_model
from tests.boards import PORTED_NAMES
from tests.emulation.renode.test_driver import put_on_path
from tests.networks import int4_layers, network
from tests.shared_data import MODELS, needs_shared

pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.usefixtures("firmware_tools"),
    pytest.mark.timeout(1200),
]
BOARDS = PORTED_NAMES
ROOT = Path(__file__).parents[3]
CYCCNT_TOLERANCE = 64
"""Renode advances virtual time in steps of a few instructions: up to 33 were seen."""


def small_model() -> bytes:
    builder = ModelBuilder("small")
    x = builder.conv_2d(builder.input((1, 8, 8, 3), "int8"), 4, kernel=3, activation="relu")
    builder.output(builder.fully_connected(builder.reshape(x, (1, 256)), 5))
    return builder.build()


def run(
    content: bytes,
    board_name: str,
    backend: str,
    arena_bytes: int | None = None,
    kernels: str = "reference",
) -> ModelRun:
    board = find_board(board_name)
    firmware = firmware_target(board, kernels=kernels).linking_all(content)
    how = RunOptions(backend=backend, arena_bytes=arena_bytes, timeout_s=300)
    arena, image = firmware.prediction.arena, build(firmware.target)
    return run_model(firmware.content, arena, image, board, options=how)


def check(content: bytes, board: str, kernels: str = "reference") -> None:
    """Both emulators tell the same of a model."""
    unicorn, renode = (
        run(content, board, backend, kernels=kernels) for backend in ("unicorn", "renode")
    )
    assert renode.failure is None
    assert renode.passed
    assert renode.outputs == unicorn.outputs
    assert renode.used_bytes == unicorn.used_bytes
    assert renode.stack_used_bytes == unicorn.stack_used_bytes
    for ours, theirs in zip(unicorn.operators, renode.operators, strict=True):
        assert (ours.operator, ours.calls) == (theirs.operator, theirs.calls)
        assert abs(ours.instructions - theirs.instructions) <= CYCCNT_TOLERANCE
    required = unicorn.arena.required_bytes
    short = run(content, board, "renode", required - 16, kernels)
    assert short.is_out_of_memory
    assert "bytes short" in (short.failure or "")


@pytest.mark.parametrize("board", BOARDS)
def test_on_the_stand_in(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    check(small_model(), board)


OUR_NETWORKS = {
    "s8": network(),
    "s8_w4": network(weights="int4"),
    "s4": network("int4", "int4", channels=23),
    "s4_w8": network("int4", "int8"),
    "s4_layers": int4_layers(),
}


def test_a_network_of_4_bits_on_the_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    check(write_model(OUR_NETWORKS["s4"]), "f746zg", "mn")


def test_through_the_python_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyrenode3's worker process, where there is no command ``renode``."""
    if shutil.which("renode") is not None:
        pytest.skip("the command renode comes first")
    stand_in = Path(__file__).parent / "stand_in"
    monkeypatch.syspath_prepend(str(stand_in))
    monkeypatch.setenv("PYRENODE_BIN", "/opt/renode/renode")
    monkeypatch.delenv("PYRENODE_RUNTIME", raising=False)
    monkeypatch.setenv("PYTHONPATH", f"{stand_in}{os.pathsep}{ROOT}")
    check(small_model(), "f446re")


needs_renode = pytest.mark.skipif(
    not renode_console.is_installed(), reason=renode_console.INSTALL_HINT
)


@pytest.mark.renode
@needs_renode
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["small", "ds_cnn", "autoencoder"])
def test_on_renode(name: str, board: str) -> None:
    check(small_model() if name == "small" else EXAMPLE_MODELS[name]().build(), board)


@pytest.mark.renode
def test_on_renode_through_the_python_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pyrenode3 and the Renode that it finds, as where there is no command ``renode``."""
    environment = python_package.environment()
    if environment is None:
        pytest.skip("pyrenode3 is not installed, or there is no Renode that it can load")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(renode_console.shutil, "which", lambda name: None)
    console = renode_console.open_console()
    assert isinstance(console, renode_console.PythonConsole)
    renode_console.give_back(console)
    monkeypatch.undo()
    check(small_model(), "f446re")  # takes the idle one


@pytest.mark.renode
@needs_renode
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", OUR_NETWORKS)
def test_mn_kernels_on_renode(name: str, board: str) -> None:
    """Networks of 8 and of 4 bits with the project's own kernels."""
    check(write_model(OUR_NETWORKS[name]), board, "mn")


@pytest.mark.renode
@needs_renode
@needs_shared
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(
    "name", ["mlperf_kws_int8", "mlperf_ic_int8", "zoo_ds_cnn_s_quantized", "mlperf_ad01_int8"]
)
def test_shared_models_on_renode(name: str, board: str) -> None:
    check((MODELS / f"{name}.tflite").read_bytes(), board)
