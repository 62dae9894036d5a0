"""What an exported file takes and how well it answers, beside what the search said."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.constraints import Budget
from nas.metrics import quality
from nas.network_cost import ExactCost
from nas.tasks.dataset import Dataset, optional
from predictor import Board, predict, read_graph
from predictor.errors import PredictorError
from predictor.model.device_model import has_int4_activations
from predictor.model.graph import Graph

BATCH = 64


def answers_of(model: bytes, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-probabilities that the file gives, computed by LiteRT's own kernels.

    Of files with 4-bit activations, logits, by the arithmetic of the project's kernels.
    """
    graph = read_graph(model)
    if has_int4_activations(graph):
        return _integer_answers(graph, x)
    runtime = optional("ai_edge_litert.interpreter", "ai-edge-litert")
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    found = []
    interpreter: Any = None
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        if interpreter is None or len(part) != BATCH:
            interpreter = runtime.Interpreter(
                model_content=model, experimental_op_resolver_type=plain
            )
            index = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(index, part.shape)
            interpreter.allocate_tensors()
        given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(given["index"], _stored(part, *given["quantization"]))
        interpreter.invoke()
        scale, zero_point = wanted["quantization"]
        stored = interpreter.get_tensor(wanted["index"]).astype(np.float32)
        found.append((stored - zero_point) * scale)
    shares = np.concatenate(found)
    # Half a step keeps the logarithm of what rounded to 0 finite.
    return np.asarray(np.log(np.maximum(shares, 1 / 512)), np.float32)


def _integer_answers(graph: Graph, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from nas.integer_runtime import run_graph

    main = graph.main
    given = main.tensors[main.inputs[0]].quantization
    logits = main.tensors[main.operators[-1].inputs[0]].quantization
    assert given is not None
    assert logits is not None
    quantized = _stored(x, given.scale, given.zero_points[0])
    parts = [run_graph(graph, quantized[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    return np.asarray((np.concatenate(parts) - logits.zero_points[0]) * logits.scale, np.float32)


def _stored(x: npt.NDArray[np.float32], scale: float, zero_point: int) -> npt.NDArray[np.int8]:
    stored: npt.NDArray[np.int8] = np.clip(np.round(x / scale) + zero_point, -128, 127).astype(
        np.int8
    )
    return stored


def verification(
    model: bytes, result: dict[str, Any], budget: Budget, data: Dataset
) -> dict[str, Any]:
    """The table of the search's and the predictor's figures, and how well the file answers.

    :func:`emulate` fills in the column of emulated firmware.
    """
    prediction = predict(model, budget.board, **asdict(budget.options))
    exact = ExactCost.of(prediction)
    return {
        "board": budget.board.name,
        "metric": result["metric"],
        "searched": result["cost"],
        "predicted": exact.quantities() | {"flash_bytes": exact.flash_bytes},
        "emulated": None,
        "not_emulated": "nas verify does it",
        "accuracy": {
            "fake_quantized": result["quality"],
            "exported": quality(answers_of(model, data.test_x), data),
        },
        "limits": budget.limits(exact),
        "fits": budget.fits(exact),
    }


def emulate(model: bytes, board: Board, tflm_dir: Path | None = None) -> dict[str, Any]:
    """The fields ``emulated`` and ``not_emulated`` of the table, from firmware on the board.

    The firmware has the packaged TFLM of 2020 with its reference kernels, or that in ``tflm_dir``.
    """
    from predictor.emulation.firmware_build import build
    from predictor.emulation.model_run import run_model

    try:
        image = build(board, tflm_dir=tflm_dir)
        revision, kernels = image.tflm_revision, image.kernels
        prediction = predict(model, board, tflm=revision, kernels=kernels, resolver="all")
        run = run_model(model, prediction.arena, image, board)
    except PredictorError as error:
        return {"emulated": None, "not_emulated": str(error)}
    found = {
        "tflm": revision,
        "kernels": kernels,
        "arena_bytes": run.used_bytes,
        "predicted_arena_bytes": run.arena.used_bytes,
        "instructions": run.invoke_instructions,
        "outputs": run.host.value,
        "failure": run.failure,
        "passed": run.passed,
    }
    return {"emulated": found, "not_emulated": None}
