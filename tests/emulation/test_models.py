"""Whole models in firmware on the three emulated boards: outputs, arena, instruction counts."""

from __future__ import annotations

import random
import shutil
from functools import cache
from itertools import islice

import pytest

from predictor.boards.board import Board, find_board
from predictor.emulation.backends import AUTO, QEMU, backend_of, emulated_board
from predictor.errors import RefusedError
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.target import firmware_target
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS, ds_cnn
from predictor.model.graph import Graph, TensorType
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.options import Options
from predictor.prediction import Prediction, predict_graph
from predictor.proof.host_check import HostCheck
from predictor.proof.model_run import RunOptions, run_model
from tests.boards import PORTED
from tests.shared_data import MODELS, needs_shared

REVISION = "2020.07"
SLOW = pytest.mark.slow


pytestmark = pytest.mark.usefixtures("emulation_tools")


@cache
def image(board_name: str) -> FirmwareImage:
    return build(firmware_target(emulated(board_name)))


@cache
def emulated(board_name: str) -> Board:
    return emulated_board(AUTO, find_board(board_name))


def prediction(content: bytes, board: Board) -> Prediction:
    options = Options(kernels="reference", tflm=REVISION, resolver="all")
    return predict_graph(read_graph(content), board, options, content=content)


def check_on_board(content: bytes, board: Board) -> bool:
    """Runs a model where it fits; False where it does not."""
    predicted = prediction(content, board)
    if not predicted.fits:
        return False
    run = run_model(content, predicted.arena, image(board.name), board)
    assert run.used_bytes == predicted.arena.used_bytes
    if predicted.invoke_errors:
        assert run.failure is not None
        return True
    assert run.failure is None
    if "CUSTOM:CIRCULAR_BUFFER" in predicted.graph.operator_labels:
        # Today's kernel ends the inference early, that of 2020 does not: nothing to compare.
        return True
    if run.host is not HostCheck.EQUAL:
        # TFLM of 2020 computes some operators wrongly; the prediction must have said so.
        assert any("results" in note for note in predicted.notes), run.host_reason
    counted = sum(item.instructions for item in run.operators)
    assert run.invoke_instructions is not None
    assert counted <= run.invoke_instructions
    # What Invoke spends beside its operators: a few instructions for each.
    assert run.invoke_instructions - counted <= max(
        100 * len(run.operators), run.invoke_instructions // 1000
    )
    return True


def is_supported_int8(graph: Graph) -> bool:
    """Whether all computed values are integers and TFLM of 2020 takes the model."""
    types = {t.type for s in graph.subgraphs for t in s.tensors if not t.is_constant}
    if not types <= {TensorType.INT8, TensorType.INT32, TensorType.BOOL}:
        return False
    try:
        predict_graph(graph, "f767zi", Options(kernels="reference", tflm=REVISION))
    except RefusedError:
        return False
    return True


def check_shared_models(folder: str, boards_each: int) -> None:
    """Runs what TFLM of 2020 supports of a folder, each model on so many boards, in turn."""
    boards, ran = PORTED, 0
    for turn, path in enumerate(sorted((MODELS / folder).glob("*.tflite"))):
        content = path.read_bytes()
        if not is_supported_int8(read_graph(content)):
            continue
        for board in [boards[(turn + n) % len(boards)] for n in range(boards_each)]:
            try:
                ran += check_on_board(content, board)
            except AssertionError as error:
                raise AssertionError(f"{path.name} on {board.name}: {error}") from error
    assert ran > 0


@needs_shared
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("folder", "boards_each"), [("", 1), ("ops", 1), ("rnd", 1)])
def test_shared_models(folder: str, boards_each: int) -> None:
    check_shared_models(folder, boards_each)


@pytest.mark.slow
@needs_shared
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("folder", ["", "ops", "rnd", "sweep"])
def test_all_shared_models_on_all_boards(folder: str) -> None:
    check_shared_models(folder, 3)


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=SLOW) for n in range(6, 100))])
def test_random_graphs(seed: int) -> None:
    boards = PORTED
    content = random_graph(seed, mid_2020=True, max_operators=30).build()
    assert check_on_board(content, boards[seed % len(boards)])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["pico", "lpc1768", "l552ze", "mps3-an547"])
def test_twenty_random_graphs_on_each_other_core(name: str) -> None:
    """Cortex-M0+, M3, M33 and, in QEMU, M55: arena and outputs."""
    if backend_of(AUTO, find_board(name)) == QEMU and shutil.which("qemu-system-arm") is None:
        pytest.skip("QEMU is not installed: apt install qemu-system-arm")
    graphs = (random_graph(seed, mid_2020=True, max_operators=20) for seed in range(60))
    runs = (check_on_board(graph.build(), emulated(name)) for graph in graphs)
    assert sum(islice(filter(None, runs), 20)) == 20


@pytest.mark.parametrize("name", EXAMPLE_MODELS)
@pytest.mark.parametrize("board", PORTED, ids=lambda board: board.name)
def test_example_models(name: str, board: Board) -> None:
    check_on_board(EXAMPLE_MODELS[name]().build(), board)


@pytest.mark.parametrize("seed", range(10))
def test_random_convolution_networks(seed: int) -> None:
    """Networks of layers that TFLM of 2020 has, with random shapes."""
    rng = random.Random(seed)
    builder = ModelBuilder("random", seed=seed)
    x = builder.input((1, rng.randint(6, 14), rng.randint(6, 14), rng.randint(1, 5)), "int8")
    for _ in range(rng.randint(2, 6)):
        kind = rng.randrange(4)
        if kind == 0:
            x = builder.conv_2d(x, rng.randint(1, 9), kernel=rng.choice((1, 3)), activation="relu")
        elif kind == 1:
            x = builder.depthwise_conv_2d(x, kernel=3)
        elif kind == 2:
            x = builder.max_pool_2d(x, kernel=2, stride=1)
        else:
            x = builder.average_pool_2d(x, kernel=2, stride=1)
    builder.output(x)
    assert check_on_board(builder.build(), find_board("f446re"))


def test_required_arena_is_the_smallest() -> None:
    """Allocation succeeds at the predicted size and fails 16 bytes below it."""
    content, board = ds_cnn().build(), find_board("f446re")
    predicted = prediction(content, board)
    required = predicted.arena.required_bytes
    fits = run_model(
        content, predicted.arena, image("f446re"), board, options=RunOptions(arena_bytes=required)
    )
    assert fits.passed
    short = run_model(
        content,
        predicted.arena,
        image("f446re"),
        board,
        options=RunOptions(arena_bytes=required - 16),
    )
    assert short.failure is not None
    assert "short" in short.failure


def test_counts_are_the_same_from_run_to_run() -> None:
    content, board = ds_cnn().build(), find_board("f446re")
    predicted = prediction(content, board)
    first, second = (run_model(content, predicted.arena, image("f446re"), board) for _ in range(2))
    assert first.operators == second.operators
    assert first.result.instructions == second.result.instructions
