"""Two arenas in current TFLM: each as large as predicted, in the memory that is named for it.

MCU_PREDICTOR_TFLM as in ``test_own_tflm``. What TFLM of 2020 says to two arenas needs none.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.errors import UsageError
from predictor.firmware.arenas import ArenaPlace
from predictor.firmware.build import build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.protocol import AllocationFailed, Failed
from predictor.firmware.target import firmware_target
from predictor.firmware.user_tflm import read_user_tflm
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.random_graphs import random_graph
from predictor.proof.model_run import RunOptions, run_model
from tests.emulation.firmware.conftest import emulate, report_of

TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM", "")
pytestmark = [pytest.mark.toolchain, pytest.mark.timeout(900)]
needs_tflm = pytest.mark.skipif(not TFLM_DIR, reason="MCU_PREDICTOR_TFLM names no TFLM build")
BOARD = "f407g-disc1"
MODELS = {
    **{f"random {seed}": random_graph(seed, max_operators=14) for seed in range(8)},
    **{name: EXAMPLE_MODELS[name]() for name in ("ds_cnn",)},
}


def _target(memory: str | None, persistent_memory: str):
    tflm = read_user_tflm(Path(TFLM_DIR))
    return firmware_target(BOARD, tflm, None, memory, persistent_memory)


@needs_tflm
@pytest.mark.parametrize(("memory", "persistent_memory"), [(None, "ccm"), ("ccm", "sram2")])
@pytest.mark.parametrize("name", MODELS)
def test_both_arenas_are_as_predicted_and_no_smaller_ones_do(
    name: str, memory: str | None, persistent_memory: str
) -> None:
    content = MODELS[name].build()
    firmware = _target(memory, persistent_memory).linking_all(content)
    if not firmware.prediction.fits:
        pytest.skip("it does not fit these memories")
    image = build(firmware.target)
    run = run_model(
        firmware.content,
        firmware.prediction.arena,
        image,
        firmware.target.board,
        options=RunOptions(arenas=firmware.arenas),
    )
    split = firmware.prediction.arena.split
    assert split is not None
    assert run.failure is None
    assert run.passed
    assert run.tail_bytes == split.persistent_bytes
    assert run.head_bytes == split.nonpersistent_bytes
    for smaller in range(2):
        places = [
            replace(place, size_bytes=place.size_bytes - (16 if index == smaller else 0))
            for index, place in enumerate(firmware.arenas)
        ]
        report = report_of(emulate(image, model_blobs(content, arenas=places)))
        assert report.arena is None
        assert isinstance(report.failure, AllocationFailed | Failed)


def test_tflm_of_2020_takes_one_arena_only() -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    with pytest.raises(UsageError, match="takes one arena only"):
        firmware_target(BOARD, persistent_memory="ccm").linking_all(model)


def test_an_arena_lies_in_the_memory_that_is_named_for_it(build_runner) -> None:
    """With the packaged TFLM, too: the program has the other memories."""
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    firmware = firmware_target(BOARD, memory="ccm").linking_all(model)
    (place,) = firmware.arenas
    assert place.address + place.size_bytes == 0x1001_0000
    image = build(firmware.target)
    report = report_of(emulate(image, model_blobs(model, arenas=firmware.arenas)))
    report.require_success()
    assert report.arena is not None
    assert report.arena.used_bytes == firmware.prediction.arena.used_bytes


def test_an_arena_in_the_programs_ram_is_refused(build_runner) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    blob = model_blobs(model, arenas=[ArenaPlace(0x2000_0000, 32_768)])
    report = report_of(emulate(build_runner(BOARD), blob))
    assert isinstance(report.failure, Failed)
    assert report.failure.reason == "arena_in_ram"
