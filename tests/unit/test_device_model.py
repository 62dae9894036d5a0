"""Device models: what they hold, that they lead back, and what they take in the arena."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import ModelError, PredictorError, RefusedError, UsageError
from predictor.memory.arena import arena
from predictor.memory.deployment import deploy
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import (
    METADATA_NAME,
    device_model,
    original_model,
    preparable,
)
from predictor.model.device.layers import options_of
from predictor.model.device.options import WeightedOptions
from predictor.model.device.reader import CODES, read_options
from predictor.model.graph import Graph, TensorType
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED, offline_plan_bytes
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.prediction import predict
from tests.networks import int4_layers, network

REVISIONS = ("2020.07", "2026.08")


NETWORKS = {
    "s8": network(),
    "s8_w4": network(weights="int4"),
    "s4": network("int4", "int4"),
    "s4_w8": network("int4", "int8"),
    "s4_layers": int4_layers(),
}


@pytest.mark.parametrize("tables", ["flash", "arena"])
@pytest.mark.parametrize("name", NETWORKS)
def test_leads_back_to_the_original(name: str, tables: str) -> None:
    original = NETWORKS[name]
    device = read_graph(write_model(device_model(original, tables)))
    assert write_model(original_model(device)) == write_model(original)
    assert len(device.main.tensors) == len(original.main.tensors)
    assert len(device.main.operators) == len(original.main.operators)


@pytest.mark.parametrize("name", NETWORKS)
def test_prepared_filters_lead_back(name: str) -> None:
    original = NETWORKS[name]
    prepared = preparable(original)
    assert prepared or name == "s4_layers"
    device = read_graph(write_model(device_model(original, prepared=prepared)))
    assert write_model(original_model(device)) == write_model(original)
    for revision in REVISIONS:
        small = arena(device, load_revision(revision, "mn"))
        plain = arena(device_model(original), load_revision(revision, "mn"))
        assert small.required_bytes <= plain.required_bytes


def test_other_filters_are_not_prepared() -> None:
    with pytest.raises(UsageError, match="operator 0 cannot have a prepared filter"):
        device_model(NETWORKS["s8"], prepared=(0,))


def test_damaged_prepared_filters_end_in_an_error() -> None:
    """Too short for the layer, or weights that no filter of 8 bits can have had."""
    original = NETWORKS["s8"]
    device = device_model(original, prepared=preparable(original))
    index = device.main.operators[preparable(original)[0]].inputs[1]
    data = device.main.tensors[index].data
    assert data is not None
    for damaged in (bytes(data)[:-4], bytes(data)[:-2] + b"\xff\x7f"):
        tensor = replace(
            device.main.tensors[index], data=memoryview(damaged), shape=(len(damaged),)
        )
        tensors = (*device.main.tensors[:index], tensor, *device.main.tensors[index + 1 :])
        changed = replace(device, subgraphs=(replace(device.main, tensors=tensors),))
        with pytest.raises(ModelError, match="prepared filter"):
            original_model(changed)


def test_plans_of_the_device_model_do_not_lead_back() -> None:
    """Other metadata does, and a plan that the original has."""
    plan = memoryview(offline_plan_bytes([ONLINE_PLANNED] * len(NETWORKS["s8"].main.tensors)))
    notes = {"notes": memoryview(b"kept")}
    for own in ({}, {OFFLINE_PLAN: plan}):
        original = replace(NETWORKS["s8"], metadata=notes | own)
        device = device_model(original)
        planned = replace(device, metadata={**device.metadata, OFFLINE_PLAN: memoryview(b"other")})
        found = original_model(read_graph(write_model(planned)))
        assert {name: bytes(raw) for name, raw in found.metadata.items()} == {
            name: bytes(raw) for name, raw in original.metadata.items()
        }


@pytest.mark.parametrize("seed", range(40))
def test_leads_back_from_random_graphs(seed: int) -> None:
    original = read_graph(random_graph(seed).build())
    device = device_model(original)
    if device is original:
        assert not any(op.is_custom for op in original.main.operators)
        return
    assert write_model(original_model(read_graph(write_model(device)))) == write_model(original)


@pytest.mark.parametrize("name", NETWORKS)
def test_options_read_as_written(name: str) -> None:
    graph = NETWORKS[name]
    for tables in ("flash", "arena"):
        for op, custom in zip(
            graph.main.operators, device_model(graph, tables).main.operators, strict=True
        ):
            if not custom.is_custom:
                assert custom.name == "RESHAPE"
                continue
            options = read_options(custom.name, custom.custom_options)
            assert options == options_of(graph.main, op, tables)
            assert options.code == custom.name
            assert sum(options.work) > 0


def test_tensors_of_4_bits_become_their_packed_bytes() -> None:
    graph = NETWORKS["s4"]
    for before, after in zip(graph.main.tensors, device_model(graph).main.tensors, strict=True):
        if before.type == TensorType.INT4:
            assert (after.type, after.shape) == (TensorType.INT8, ((before.elements + 1) // 2,))
            assert after.data is before.data
        else:
            assert (after.type, after.shape) == (before.type, before.shape)


@pytest.mark.parametrize("revision", REVISIONS)
def test_4_bits_halve_the_activations(revision: str) -> None:
    """Planned bytes of the tensors, scratch buffers left out."""
    chosen = load_revision(revision, "mn")

    def activation_bytes(name: str) -> int:
        report = arena(deploy(NETWORKS[name], None, chosen).graph, chosen)
        return sum(buffer.size_bytes for buffer in report.buffers if buffer.tensor is not None)

    # The int8 input stands before both networks.
    assert 0.5 <= activation_bytes("s4") / activation_bytes("s8") < 0.6


def test_tables_in_flash_take_no_arena() -> None:
    revision = load_revision("2026.08", "mn")
    graph = NETWORKS["s8"]
    in_flash, in_arena = (
        arena(device_model(graph, tables), revision) for tables in ("flash", "arena")
    )
    assert in_flash.nonpersistent_bytes == in_arena.nonpersistent_bytes
    # The interpreter's arrays of inputs and outputs are all that is left.
    assert in_flash.breakdown["kPersistentBufferData"].count == 2
    channels = sum(
        len(options.tables.multipliers)
        for op in device_model(graph, "arena").main.operators
        if op.is_custom
        and isinstance(options := read_options(op.name, op.custom_options), WeightedOptions)
        and options.tables.arena_bytes
    )
    assert channels == 5 * 24
    saved = in_arena.persistent_bytes - in_flash.persistent_bytes
    assert 8 * channels < saved < 8 * channels + 5 * 16 + 16


def test_tables_are_those_of_tflm() -> None:
    """A multiplier and shift for each channel: the factor, to 31 bits."""
    graph = NETWORKS["s8"]
    op = graph.main.operators[0]
    options = options_of(graph.main, op)
    assert isinstance(options, WeightedOptions)
    input, filter = (graph.main.tensors[index] for index in op.inputs[:2])
    output = graph.main.tensors[op.outputs[0]]
    assert input.quantization
    assert filter.quantization
    assert output.quantization
    for scale, multiplier, shift in zip(
        filter.quantization.scales, options.tables.multipliers, options.tables.shifts, strict=True
    ):
        factor = input.quantization.scale * scale / output.quantization.scale
        assert 1 << 30 <= multiplier < 1 << 31
        assert abs(multiplier * 2.0 ** (shift - 31) / factor - 1) < 2.0**-31


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_prediction_tells_of_both_models(name: str, revision: str) -> None:
    content = write_model(NETWORKS[name])
    prediction = predict(content, kernels="mn", tflm=revision)
    report = prediction.to_json()
    # Current TFLM runs builtin operators with the kernels, unless activations have 4 bits.
    needs_device_model = revision == "2020.07" or name.startswith("s4")
    assert prediction.deployed.is_device_model == needs_device_model
    assert report["model"]["flatbuffer_bytes"] == len(content)
    if not needs_device_model:
        assert report["device_model"] is None
        assert prediction.deployed.content == content
        return
    deployed = prediction.deployed.content
    assert deployed is not None
    assert report["device_model"]["flatbuffer_bytes"] == len(deployed)
    assert prediction.flash.model_bytes == len(deployed)
    assert any("device model" in note for note in prediction.notes)
    # The device model itself is taken as it is.
    again = predict(deployed, kernels="mn", tflm=revision)
    assert again.arena.used_bytes == prediction.arena.used_bytes
    assert again.flash.total_bytes == prediction.flash.total_bytes


def test_other_kernel_sets_do_not_take_device_models() -> None:
    content = write_model(device_model(NETWORKS["s8"]))
    with pytest.raises(RefusedError, match="no such custom operator"):
        predict(content, kernels="reference")


def test_what_has_no_kernel_stays_builtin() -> None:
    """Float operators among int8 ones."""
    builder = ModelBuilder("mixed")
    x = builder.input((1, 4, 4, 8))
    row = builder.constant(
        np.ones((1, 1, 1, 8), np.int8), "int8", quantization=x.quantization, name="row"
    )
    x = builder.add(builder.conv_2d(x, 8), row)
    builder.output(builder.logistic(builder.dequantize(x)))
    graph = read_graph(builder.build())
    labels = [op.label for op in device_model(graph).main.operators]
    assert labels == [
        "CUSTOM:MN_CONV_2D_S8",
        "CUSTOM:MN_BROADCAST_ADD_S8",
        "DEQUANTIZE",
        "LOGISTIC",
    ]
    prediction = predict(write_model(graph), kernels="mn")
    assert prediction.deployed.is_device_model


@pytest.mark.parametrize(
    "layer",
    [
        lambda b, x: b.mul(x, x),
        lambda b, x: b.add(x, b.reshape(x, (1, 1, 4, 4, 6))),
        lambda b, x: b.concatenation([x, x], axis=3),
        lambda b, x: b.dequantize(x),
    ],
)
def test_4_bits_without_a_kernel_are_refused(layer: object) -> None:
    builder = ModelBuilder("int4")
    x: TensorRef = builder.quantize(builder.input((1, 4, 4, 6)), "int4")
    builder.output(layer(builder, x))  # type: ignore[operator]
    with pytest.raises(RefusedError, match="kernel"):
        device_model(read_graph(builder.build()))


def test_wrong_requests() -> None:
    with pytest.raises(UsageError, match="flash or arena"):
        device_model(NETWORKS["s8"], "ram")
    with pytest.raises(UsageError, match="already"):
        device_model(device_model(NETWORKS["s8"]))
    with pytest.raises(ModelError, match="no device model"):
        original_model(NETWORKS["s8"])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CODES), st.binary(max_size=200), st.booleans())
def test_hostile_options_are_refused(code: str, data: bytes, versioned: bool) -> None:
    if versioned:
        data = (1).to_bytes(4, "little") + data
    with suppress(ModelError):
        assert read_options(code, data).pack() == data


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_ways_back_are_refused(data: st.DataObject) -> None:
    device = device_model(NETWORKS["s8_w4"])
    entry = bytearray(device.metadata[METADATA_NAME])
    for _ in range(data.draw(st.integers(1, 4))):
        entry[data.draw(st.integers(0, len(entry) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(entry)))
    damaged = dict(device.metadata) | {METADATA_NAME: memoryview(bytes(entry[:cut]))}
    with suppress(PredictorError):
        original_model(Graph(device.subgraphs, damaged, device.description))
