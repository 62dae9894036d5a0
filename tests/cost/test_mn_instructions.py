"""Predicted instructions of the project's kernels against firmware on emulated boards."""

from __future__ import annotations

import pytest

from predictor.boards.board import find_board
from predictor.cost.instructions import Basis, load_costs
from predictor.firmware.build import build
from predictor.firmware.target import ModelFirmware, firmware_target
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import read_graph
from predictor.proof.model_run import ModelRun, run_model
from tests.shared_data import MODELS, needs_shared
from tools.costs.fit_costs import row_of
from tools.costs.layer_counts import count
from tools.costs.layer_models import MODELS as COUNTED
from tools.costs.layer_models import layer_model

pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.usefixtures("emulation_tools"),
    pytest.mark.timeout(900),
]
BOARDS = ("f446re", "f746zg")
LESS_A_CALL = 200
"""Costs of calls are counted with current TFLM; the packaged one takes about 110 less."""
RARE = [f"rare-device:{seed}" for seed in range(COUNTED["rare-device"], COUNTED["rare-device"] + 3)]
"""Models that no cost was fitted to, of eight layers with unusual constants each."""


def run(firmware: ModelFirmware) -> tuple[ModelFirmware, ModelRun]:
    image = build(firmware.target)
    return firmware, run_model(
        firmware.content, firmware.prediction.arena, image, firmware.target.board
    )


@needs_shared
@pytest.mark.parametrize("board", BOARDS)
def test_visual_wake_words(board: str) -> None:
    """MLPerf's model, whose shifts, biases and dead channels are of all kinds: 13.1 million
    instructions at most, predicted within 0.5 %."""
    content = (MODELS / "mlperf_vww_int8.tflite").read_bytes()
    firmware, result = run(firmware_target(board, kernels="mn").linking_used(content))
    assert result.failure is None
    assert result.invoke_instructions is not None
    assert result.invoke_instructions <= 13.1e6
    work = firmware.prediction.work
    assert work.basis is Basis.MODEL
    assert work.instructions == pytest.approx(result.invoke_instructions, rel=0.005)


@pytest.mark.parametrize("board", BOARDS)
def test_rare_contents(board: str) -> None:
    """Layers with any shifts and biases and filters of zeros: nine in ten within 2.5 %, each within
    5 %, or what a call takes less in this TFLM than in the one whose calls were counted."""
    revision = load_revision("2020.07", "mn", find_board(board).core.model)
    costs, layers, within = load_costs(revision), 0, 0
    for name in RARE:
        nodes = prepare(read_graph(layer_model(name)), revision).nodes
        for _, index, _, instructions, *_ in count(name, board, None, "mn"):
            row = row_of(name, nodes[int(str(index))], {})
            assert row is not None
            guess = sum(costs[term].instructions * times for term, times in row.terms.items())
            counted = float(str(instructions))
            layers += 1
            assert guess == pytest.approx(counted, rel=0.05, abs=LESS_A_CALL), (name, index)
            within += guess == pytest.approx(counted, rel=0.025, abs=LESS_A_CALL)
    assert layers >= 20
    assert within >= 0.9 * layers
