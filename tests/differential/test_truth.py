"""Models that the project generates, against what upstream TFLM took for them on emulated cores.

``truth/figures`` holds what ``python -m truth.measure`` found. Set MCU_PREDICTOR_TFLM (see
firmware/test_own_tflm.py) to measure some of the models again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import DEFAULT_REVISION, load_revision
from predictor.model.tflite_reader import read_graph
from predictor.operators.kernel_set import overlay
from tests.shared_data import MODELS, TRUTH, needs_shared, truth
from truth import figures, models
from truth.figures import Figures, persistent_text
from truth.measure import Bench

NAMED = sorted(truth("arena_m4.json")) if TRUTH.is_dir() else []
_, RECORDS = figures.read(figures.path_of(DEFAULT_REVISION))
TARGETS = ("cmsis_nn/cortex-m4", "cmsis_nn/cortex-m7", "reference/cortex-m4", "reference/cortex-m7")


def test_every_model_was_measured_as_it_is_built_today() -> None:
    built = {name: models.digest(models.build(name)) for name in models.names()}
    assert {name: record.digest for name, record in RECORDS.items()} == built
    assert {name for name in RECORDS if set(RECORDS[name].figures) != set(TARGETS)} == set()


def test_every_operator_has_a_model() -> None:
    assert set(overlay("reference").names()) <= {name.split("/")[0] for name in models.names()}


def _predicted(name: str, kernels: str) -> tuple[Figures, ArenaReport | None]:
    try:
        report = arena(read_graph(models.build(name)), load_revision(DEFAULT_REVISION, kernels))
    except RefusedError as error:
        return Figures(refused=str(error)), None
    allocations = [(kind, size, alignment) for kind, size, alignment, _ in report.persistent_log]
    found = Figures(
        used_bytes=report.used_bytes,
        head_bytes=report.nonpersistent_bytes,
        tail_bytes=report.persistent_bytes,
        required_bytes=report.required_bytes,
        persistent=persistent_text(allocations),
        plan=tuple((b.size_bytes, b.first_use, b.last_use, b.offset) for b in report.buffers),
        runs=not report.invoke_errors,
    )
    return found, report


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_predictions_are_exact(name: str, target: str) -> None:
    measured = RECORDS[name].figures[target]
    found, report = _predicted(name, target.split("/")[0])
    if measured.refused is not None or report is None:
        assert (measured.refused is None) == (report is not None)
        return
    assert found == measured


TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM")
needs_library = pytest.mark.skipif(
    not TFLM_DIR, reason="MCU_PREDICTOR_TFLM names no TFLM library (firmware/test_own_tflm.py)"
)


@pytest.fixture(scope="module")
def bench(emulation_tools: None) -> Iterator[Bench]:
    assert TFLM_DIR
    with Bench(find_board("f446re"), Path(TFLM_DIR)) as found:
        yield found


@needs_library
@pytest.mark.slow
@pytest.mark.toolchain
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_figures_are_as_measured_again(bench: Bench, name: str) -> None:
    assert bench.figures(models.build(name)) == RECORDS[name].figures[bench.target]


@needs_library
@needs_shared
@pytest.mark.slow
@pytest.mark.toolchain
@pytest.mark.parametrize("name", NAMED)
def test_the_bench_agrees_with_other_measurements(bench: Bench, name: str) -> None:
    """Measured by another program in another emulator (../shared), with CMSIS-NN."""
    if bench.target != "cmsis_nn/cortex-m4":
        pytest.skip(f"measured with CMSIS-NN on a Cortex-M4, not with {bench.target}")
    known, found = truth("arena_m4.json")[name], bench.figures((MODELS / name).read_bytes())
    if known["allocate_status"] != 0:
        assert found.refused is not None
        return
    assert found.used_bytes == known["arena_used_bytes"]
    assert (found.head_bytes, found.tail_bytes) == (known["non_persistent"], known["persistent"])
    assert found.required_bytes == known["min_arena_bytes"]
    assert [list(buffer) for buffer in found.plan] == truth("plan_m4.json")[name]["plan"]
