"""What an exported file takes and how well it answers, beside what the search said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.cost.constraints import Budget
from nas.cost.network_cost import ExactCost
from nas.tasks.dataset import Dataset, optional
from nas.training.metrics import quality
from predictor import predict, read_graph
from predictor.errors import PredictorError
from predictor.kernel_sets import MN
from predictor.model.device.device_model import is_device_model, original_model
from predictor.model.device.layers import has_int4_activations
from predictor.model.graph import Graph, TensorType
from predictor.model.tflite_writer import write_model

if TYPE_CHECKING:
    from predictor.firmware.target import ModelFirmware
    from predictor.firmware.tflm_library import Tflm
    from predictor.proof.model_run import ModelRun

BATCH = 64
_DIFFERENT = "different"
_SOFTMAX_STEPS = 1.0
"""By which integer softmax may differ from the exact one, in steps of its output."""


def answers_of(model: bytes, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-probabilities that the file gives, computed by LiteRT's own kernels.

    Of files with 4-bit activations, logits, by the arithmetic of the project's kernels. Of a
    device model, those of the model that it was made of.
    """
    graph = read_graph(model)
    if is_device_model(graph):
        graph = original_model(graph)
        model = write_model(graph)
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
    from nas.export.integer_runtime import run_graph

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


def emulate(model: bytes, budget: Budget, tflm: Tflm | None = None) -> dict[str, Any]:
    """The fields ``emulated`` and ``not_emulated`` of the table, from firmware on the board.

    The firmware links ``tflm``, None for the packaged one of 2020. Its kernels are TFLM's, or the
    project's own where the search was for these or TFLM has none for the file's 4 bits.
    """
    from predictor.firmware.packaged_tflm import PackagedTflm
    from predictor.firmware.target import firmware_target

    graph, linked = read_graph(model), tflm or PackagedTflm()
    searched = budget.options.revision(budget.board.core.model).kernel_set
    needs_mn = searched.runs_device_models or _needs_mn(graph, linked)
    try:
        target = firmware_target(budget.board, linked, MN if needs_mn else None)
        return target.run(model, lambda firmware: _emulated(graph, firmware))
    except PredictorError as error:
        return {"emulated": None, "not_emulated": str(error)}


def _emulated(graph: Graph, firmware: ModelFirmware) -> dict[str, Any]:
    from predictor.firmware.build import build
    from predictor.proof.model_run import random_inputs, run_model

    inputs, arena = random_inputs(graph, seed=0), firmware.prediction.arena
    image = build(firmware.target)
    run = run_model(firmware.content, arena, image, firmware.target.board, inputs)
    outputs, passed = run.host.value, run.passed
    if passed and has_int4_activations(graph):
        outputs = _compared(graph, inputs, run)
        passed = outputs != _DIFFERENT
    found = {
        "tflm": image.tflm_revision,
        "kernels": image.kernels,
        "arena_bytes": run.used_bytes,
        "predicted_arena_bytes": run.arena.used_bytes,
        "instructions": run.invoke_instructions,
        "outputs": outputs,
        "failure": run.failure,
        "passed": passed,
    }
    return {"emulated": found, "not_emulated": None}


def _needs_mn(graph: Graph, tflm: Tflm) -> bool:
    """Whether TFLM's own kernels lack the file's 4 bits; those of 2020 know none at all."""
    has_int4 = any(tensor.type == TensorType.INT4 for tensor in graph.main.tensors)
    return has_int4_activations(graph) or (has_int4 and tflm.is_packaged)


def _compared(graph: Graph, inputs: Sequence[Any], run: ModelRun) -> str:
    """How shares that firmware computed compare with this machine's integer arithmetic.

    Logits are equal to the bit where shares differ by no more than softmax rounds.
    """
    from nas.export.integer_runtime import run_graph
    from predictor.proof.model_run import outputs_of

    main = graph.main
    (output,) = outputs_of(run.arena.prepared.graph, run.report)
    logits = main.tensors[main.operators[-1].inputs[0]].quantization
    assert logits is not None
    scores = (run_graph(graph, inputs[0]) - logits.zero_points[0]) * logits.scale
    shares = np.exp(scores - scores.max())
    wanted = np.clip(shares / shares.sum() * 256 - 128, -128, 127)
    is_equal = np.abs(np.frombuffer(output, np.int8) - wanted.ravel()).max() <= _SOFTMAX_STEPS
    return "equal but for the rounding of softmax" if is_equal else _DIFFERENT
