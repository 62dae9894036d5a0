"""Models that the project generates, against what upstream TFLM took for them on emulated cores.

``truth/figures`` holds what ``python -m truth.measure`` found. Set MCU_PREDICTOR_TFLM (see
firmware/test_own_tflm.py) to measure some of the models again.
"""

from __future__ import annotations

import pytest

from predictor.errors import RefusedError
from predictor.memory.arena import ArenaReport, arena
from predictor.memory.revision import DEFAULT_REVISION, load_revision
from predictor.model.tflite_reader import read_graph
from predictor.operators.registry import OPERATORS
from truth import figures, models
from truth.figures import Figures, persistent_text

_, RECORDS = figures.read(figures.path_of(DEFAULT_REVISION))
TARGETS = ("cmsis_nn/cortex-m4",)


def test_every_model_was_measured_as_it_is_built_today() -> None:
    built = {name: models.digest(models.build(name)) for name in models.names()}
    assert {name: record.digest for name, record in RECORDS.items()} == built
    assert {name for name in RECORDS if set(RECORDS[name].figures) != set(TARGETS)} == set()


def test_every_operator_has_a_model() -> None:
    assert set(OPERATORS.names()) <= {name.split("/")[0] for name in models.names()}


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
