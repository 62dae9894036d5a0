"""TFLM as others ship it, against what their libraries took on an emulated Cortex-M4."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from predictor.cores.core import find_core
from predictor.errors import RefusedError
from predictor.memory.arena import ArenaReport, arena
from predictor.memory.revision import device_revisions, kernel_sets, load_revision
from predictor.memory.under_tflms import under_tflm
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph, TensorType
from predictor.model.tflite_reader import read_graph
from tests.shared_data import MODELS, TRUTH, needs_shared
from truth import models

FIRMWARE = {
    "esp-gen": ("esp-gen", "esp_nn", "cortex-m4"),
    "esp-p4": ("esp-p4", "esp_nn", "cortex-m4"),
    "esp-s3": ("esp-s3", "esp_nn", "cortex-m4"),
    "arduino": ("arduino", "cmsis_nn", "cortex-m4"),
    "arduino+static": ("arduino+static", "cmsis_nn", "cortex-m4"),
    "edge-impulse": ("edge-impulse", "cmsis_nn", "cortex-m4"),
    "edge-impulse+static": ("edge-impulse+static", "cmsis_nn", "cortex-m4"),
    "esp": ("esp", "reference", "cortex-m4"),
    "pico": ("pico", "cmsis_nn", "cortex-m4"),
    "pico-nodsp": ("pico", "cmsis_nn", "cortex-m0plus"),
    "zephyr-2024+static": ("zephyr-2024+static", "cmsis_nn", "cortex-m4"),
    "zephyr-4.1": ("zephyr-4.1", "cmsis_nn", "cortex-m4"),
    "zephyr-4.4": ("zephyr-4.4", "cmsis_nn", "cortex-m4"),
}
"""Revision, kernel set and core by prefix of the files of measurements. CMSIS-NN was built without
the DSP extension for ``pico-nodsp``, as for the core of the Pico."""
SETS = ("named", "ops", "rnd")
ROOM = 32
"""Resource variables for which the measured application made room."""
UNSAFE_BYTES = (0, 16, 32)
"""How far TFLM's smallest arena may lie below the safe one: it checks persistent requests against
the head alone, so that in a smaller arena they overwrite what happens not to be read again."""


def _measured() -> list[Any]:
    folder = TRUTH / "distributions"
    return [
        pytest.param(prefix, kind, id=f"{prefix}-{kind}")
        for prefix in FIRMWARE
        for kind in SETS
        if (folder / f"{prefix}_{kind}.json").is_file()
    ]


def _difference(report: ArenaReport | None, measured: dict[str, Any]) -> str:
    if (measured.get("allocate_status") == 0) != (report is not None):
        return "refused" if report is None else "not refused"
    if report is None:
        return ""
    found = report.used_bytes, report.nonpersistent_bytes, report.persistent_bytes
    wanted = tuple(measured[k] for k in ("arena_used_bytes", "non_persistent", "persistent"))
    if found != wanted:
        return f"{found} is not {wanted}"
    excess = report.required_bytes - (measured.get("min_arena_bytes") or report.required_bytes)
    return "" if excess in UNSAFE_BYTES else f"{excess} bytes more are required than measured"


@needs_shared
@pytest.mark.parametrize(("prefix", "kind"), _measured())
def test_arenas_and_refusals_are_exact(prefix: str, kind: str) -> None:
    name, kernels, core = FIRMWARE[prefix]
    revision = load_revision(name, kernels, find_core(core))
    content = json.loads((TRUTH / "distributions" / f"{prefix}_{kind}.json").read_text())
    folder = MODELS / ("" if kind == "named" else kind)
    differences = {}
    for model, measured in content.items():
        try:
            report = arena(read_graph(folder / model), revision, ROOM)
        except RefusedError:
            report = None
        difference = _difference(report, measured)
        if difference:
            differences[model] = difference
    assert differences == {}


@needs_shared
@pytest.mark.parametrize("name", sorted({revision for revision, _, _ in FIRMWARE.values()}))
def test_operators_are_those_that_each_has(name: str) -> None:
    with (TRUTH / "distributions" / "operators.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["distribution"] == name]
    known = load_revision(name).kernel_set.operator_names
    wanted = {row["operator"] for row in rows if row["registered"] == "yes"}
    if not wanted:
        pytest.skip("no list of its operators")
    assert wanted - set(known) == set()
    refused = {row["operator"] for row in rows if row["registered"] == "no"}
    assert refused & set(known) == set()


def test_without_static_memory_tensors_and_nodes_are_larger() -> None:
    static, shipped = load_revision("2026.08"), load_revision("zephyr-4.4")
    assert static.structs.size_of("TfLiteTensor") == 32
    assert shipped.structs.size_of("TfLiteTensor") == 64
    assert static.structs.size_of("NodeAndRegistration") == 32
    assert shipped.structs.size_of("NodeAndRegistration") == 44


@pytest.mark.parametrize("name", ["REDUCE_MIN", "REVERSE_V2", "DYNAMIC_UPDATE_SLICE"])
def test_operators_that_came_later_are_absent(name: str) -> None:
    builder = ModelBuilder("any")
    builder.output(builder.relu(builder.input((1, 4))))
    graph = builder.graph()
    assert load_revision("2024.12").kernel_set.operators(graph).find(name) is None
    assert load_revision("2026.08").kernel_set.operators(graph).find(name) is not None


def _with_filter(model: str, **changes: Any) -> Graph:
    """A model of one layer whose weights have another shape or type."""
    graph = read_graph(models.build(model))
    main = graph.main
    position = main.operators[0].inputs[1]
    tensors = tuple(
        replace(tensor, **changes) if tensor.index == position else tensor
        for tensor in main.tensors
    )
    return replace(graph, subgraphs=(replace(main, tensors=tensors),))


@pytest.mark.parametrize(
    "name", ["2026.08", "pico", "arduino", "zephyr-2024+static", "edge-impulse", "esp-s3"]
)
@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 3, 6, 2), (0, 3, 3, 6)])
@pytest.mark.parametrize("operator", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_filters_of_any_shape_give_a_report_or_a_refusal(
    name: str, shape: tuple[int, ...], operator: str
) -> None:
    changed = _with_filter(f"{operator}/int8", shape=shape)
    with suppress(RefusedError):
        arena(changed, load_revision(name))


LIBRARY_KERNELS = [
    (name, kernels)
    for name in device_revisions()
    for kernels in kernel_sets(name)
    if not kernels.startswith("mn")
]
ODD_WEIGHTS = [
    ("CONV_2D/float32-int8_hybrid", TensorType.INT8),
    ("FULLY_CONNECTED/float32-int8_hybrid", TensorType.INT8),
    ("FULLY_CONNECTED/int8", TensorType.INT16),
    ("FULLY_CONNECTED/int16", TensorType.INT16),
]


@pytest.mark.parametrize(("name", "kernels"), LIBRARY_KERNELS)
@pytest.mark.parametrize(("model", "weights"), ODD_WEIGHTS)
def test_weights_of_another_type_never_pass_in_silence(
    name: str, kernels: str, model: str, weights: TensorType
) -> None:
    changed = _with_filter(model, type=weights)
    outcome = under_tflm(changed, load_revision(name, kernels))
    assert not outcome.runs or any("wrong" in word for word in outcome.words)


@pytest.mark.parametrize(
    ("name", "kernels", "model", "words"),
    [
        ("zephyr-2024", "cmsis_nn", "FULLY_CONNECTED/float32-int8_hybrid", "computes is wrong"),
        (
            "zephyr-2024",
            "reference",
            "FULLY_CONNECTED/float32-int8_hybrid",
            "hybrid models are not",
        ),
        ("arduino", "cmsis_nn", "FULLY_CONNECTED/float32-int8_hybrid", "computes is wrong"),
        ("arduino", "cmsis_nn", "CONV_2D/float32-int8_hybrid", "do not run"),
        ("edge-impulse", "cmsis_nn", "CONV_2D/uint8_refused", "do not run"),
    ],
)
def test_what_old_tflms_do_with_weights_of_another_type(
    name: str, kernels: str, model: str, words: str
) -> None:
    outcome = under_tflm(read_graph(models.build(model)), load_revision(name, kernels))
    assert any(words in word for word in outcome.words)
