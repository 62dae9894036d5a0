"""Counts of an emulated run in place of the instruction model's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from predictor.cost.instructions import Basis
from predictor.errors import UsageError
from predictor.kernel_sets import kernel_set_name
from predictor.prediction import Prediction


def with_emulated_counts(prediction: Prediction, trace: Path) -> Prediction:
    """The prediction with the instructions that ``predict emulate --trace`` counted.

    Loads and stores stay the model's.

    Raises:
        UsageError: the file is no such trace, or is of another model, core, TFLM or kernel set.
    """
    try:
        content = json.loads(trace.read_text(encoding="utf-8"))
        about = content["otherData"]
        events = [event for event in content["traceEvents"] if event["ph"] == "X"]
        counts = [(str(event["name"]), int(event["args"]["instructions"])) for event in events]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{trace}: no trace of predict emulate --trace ({error!r})") from error
    _check(prediction, about, trace)
    main = [layer for layer in prediction.layers if layer.subgraph_index == 0]
    if len(main) != len(prediction.layers):
        raise UsageError(f"{trace}: models with several subgraphs have no trace to be read back")
    if [name for name, _ in counts] != [f"{layer.index} {layer.operator}" for layer in main]:
        raise UsageError(f"{trace}: its operators are not those of the model")
    return replace(
        prediction,
        counted=tuple(
            replace(work, instructions=float(count), basis=Basis.EMULATED)
            for work, (_, count) in zip(prediction.works, counts, strict=True)
        ),
    )


def _check(prediction: Prediction, about: Any, trace: Path) -> None:
    revision = prediction.revision
    wanted = {"board": prediction.board.name, "tflm": revision.name, "kernels": revision.kernels}
    for name, value in wanted.items():
        found = about.get(name) if isinstance(about, dict) else None
        if name == "kernels" and isinstance(found, str):
            found = kernel_set_name(found)
        if found != value:
            raise UsageError(f"{trace}: its {name} is {found!r}, the prediction's {value!r}")
