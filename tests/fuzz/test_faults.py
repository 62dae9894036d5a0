"""Small files that once did what none may do, made anew by the builder."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

import predictor
from predictor.errors import ModelError, PredictorError, UnprovedError
from predictor.model.builder import ModelBuilder
from predictor.model.device.stream_group import Group, made_group, stream_layers
from predictor.model.graph import Quantization
from predictor.model.metadata import OFFLINE_PLAN
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization import optimization
from predictor.optimization.compaction.intervals import intervals, leaves_channels
from predictor.optimization.compaction.spans import whole_span
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.verification.arithmetic import fixed_point, scaled
from predictor.optimization.verification.facts import Facts
from predictor.optimization.verification.reading import layer_sum
from predictor.report.html.plan import plan_of
from tests.fuzz.operators import Row, model


def huge() -> bytes:
    """Ten tensors of 256 MiB that live at once: the arena has more than 2 GiB."""
    builder = ModelBuilder("huge")
    shape = (1 << 26,)
    inputs = [builder.input(shape, "float32") for _ in range(9)]
    builder.output(*builder.operator("ADD_N", inputs, [(shape, "float32")], {}))
    return builder.build()


def test_arenas_that_no_target_can_address() -> None:
    prediction = predictor.predict(huge())
    assert prediction.arena.required_bytes >= 1 << 31
    assert not prediction.arena.exact
    assert not prediction.fits
    assert any("2 GiB" in note for note in prediction.notes)


def test_plans_that_put_tensors_in_front_of_the_arena() -> None:
    builder = ModelBuilder("below")
    builder.output(builder.relu(builder.input((1, 8, 8, 4))))
    plan = struct.pack("<3I2i", 1, 0, 2, -16, 512)
    builder.metadata(OFFLINE_PLAN, plan)
    notes = predictor.predict(builder.build()).notes
    assert "results will be WRONG" in notes[0]
    assert "-16" in notes[0]


def test_plans_whose_tensors_all_lie_in_front_of_the_arena() -> None:
    """TFLM's size_t makes their ends larger than any arena."""
    builder = ModelBuilder("below")
    builder.output(builder.relu(builder.input((1, 8, 8, 4))))
    builder.metadata(OFFLINE_PLAN, struct.pack("<3I2i", 1, 0, 2, -(2**31), -(2**31)))
    prediction = predictor.predict(builder.build())
    assert prediction.arena.used_bytes > 2**31
    assert not prediction.fits


def test_a_mean_of_a_scalar_says_nothing_of_channels() -> None:
    builder = ModelBuilder("scalar")
    x = builder.input((), "int8")
    inputs = [x, builder.constant(np.array([0], np.int32))]
    builder.output(*builder.operator("MEAN", inputs, [((), "int8")]))
    subgraph = builder.graph().main
    assert not leaves_channels(subgraph, subgraph.operators[0])


@pytest.mark.parametrize("real", [float("nan"), float("inf")])
def test_factors_that_are_no_numbers_prove_nothing(real: float) -> None:
    with pytest.raises(UnprovedError):
        fixed_point(real)


@pytest.mark.parametrize("name", ["ADD", "MUL", "MAXIMUM", "MINIMUM"])
def test_channels_that_do_not_go_together(name: str) -> None:
    """Nothing is known of the values, where TFLM does not look at the shapes."""
    builder = ModelBuilder("channels")
    inputs = [builder.input((1, 2, 2, channels)) for channels in (2, 4)]
    builder.output(*builder.operator(name, inputs, [((1, 2, 2, 4), "int8")]))
    subgraph = builder.graph().main
    output = subgraph.outputs[0]
    whole = whole_span(subgraph.tensors[output])
    found = intervals(subgraph)[output]
    assert whole is not None
    assert (list(found.low), list(found.high)) == (list(whole.low), list(whole.high))
    assert [list(end) for end in Facts(subgraph).bounds(output)] == [[-128] * 4, [127] * 4]


@pytest.mark.parametrize("shapes", [((1, 2, 4), (1, 2, 8)), ((), ())])
def test_joined_along_another_axis(shapes: tuple[tuple[int, ...], ...]) -> None:
    builder = ModelBuilder("joined")
    inputs = [builder.input(shape, "int8") for shape in shapes]
    outputs = [(shapes[0], "int8")]
    builder.output(*builder.operator("CONCATENATION", inputs, outputs, {"axis": 0}))
    main = builder.graph().main
    assert (Facts(main).bounds(main.outputs[0])[0] == -128).all()


def test_joined_channels_that_are_not_those_of_the_output() -> None:
    """TFLM does not look at the ranks of what it joins."""
    builder = ModelBuilder("ranks")
    inputs = [builder.input((1, 2, 8)), builder.input((1, 2, 8, 1))]
    joined = builder.operator("CONCATENATION", inputs, [((1, 2, 16), "int8")], {"axis": 2})
    builder.output(*joined)
    main = builder.graph().main
    assert Facts(main).classes(main.outputs[0]).size == 16
    assert intervals(main).keys() >= {*main.outputs}


@pytest.mark.parametrize("tflm", ["2020.07", "2026.08", "edge-impulse+static"])
def test_more_dimensions_than_kernels_read(tflm: str) -> None:
    """They read four without asking how many there are."""
    builder = ModelBuilder("rank")
    x = builder.input((1, 4, 16, 4, 4))
    weights = builder.constant(
        np.ones((1, 3, 3, 4), np.int8), quantization=Quantization((1.0,), (0,))
    )
    bias = builder.constant(np.zeros(4, np.int32))
    strides, outputs = {"stride_w": 1, "stride_h": 1}, [((1, 4, 16, 4), "int8")]
    options = {**strides, "depth_multiplier": 1}
    builder.output(*builder.operator("DEPTHWISE_CONV_2D", [x, weights, bias], outputs, options))
    with contextlib.suppress(PredictorError):
        predictor.predict(builder.build(), tflm=tflm)


def test_more_biases_than_channels() -> None:
    """TFLM reads as many as there are channels."""
    builder = ModelBuilder("biases")
    x = builder.input((1, 4))
    weights = builder.constant(np.ones((8, 4), np.int8), quantization=Quantization((1.0,), (0,)))
    bias = builder.constant(np.zeros(16, np.int32))
    outputs = [((1, 8), "int8", Quantization((1.0,), (0,)))]
    output = builder.operator("FULLY_CONNECTED", [x, weights, bias], outputs, {})
    builder.output(*output)
    main = builder.graph().main
    assert Facts(main).classes(main.outputs[0]).size == 8


def test_constants_without_elements() -> None:
    builder = ModelBuilder("empty")
    x = builder.input((1, 4))
    empty = builder.constant(np.zeros((2, 0), np.int8))
    builder.output(*builder.operator("CONCATENATION", [x, empty], [((1, 4), "int8")]))
    assert len(intervals(builder.graph().main)) >= 2


@pytest.mark.parametrize("scales", [(1.0, 0.0), (3e38, 1e-38), (0.0, 0.0)])
def test_scales_without_a_multiplier(scales: tuple[float, float]) -> None:
    builder = ModelBuilder("scales")
    kinds = [Quantization((scale,), (0,)) for scale in scales]
    x = builder.input((1, 4), quantization=kinds[0])
    outputs = [
        builder.operator("QUANTIZE", [x], [((1, 4), "int8", kinds[1])]),
        builder.operator("MUL", [x, x], [((1, 4), "int8", kinds[1])]),
    ]
    builder.output(*(output for found in outputs for output in found))
    main = builder.graph().main
    assert all(len(intervals(main)[index].low) == 4 for index in main.outputs)


def test_products_beyond_all_words() -> None:
    values, is_sound = scaled(np.array([3, 1 << 40]), [(1 << 30, 2), (1 << 30, 60)])
    assert list(values) == [6, 2**56]
    assert list(is_sound) == [True, False]


def test_an_operator_that_reads_its_own_output_proves_nothing() -> None:
    builder = ModelBuilder("circle")
    x = builder.input((1, 4))
    builder.output(*builder.operator("CONCATENATION", [x, x], [((1, 8), "int8")]))
    main = builder.graph().main
    (op,) = main.operators
    circle = replace(main, operators=(replace(op, inputs=(op.inputs[0], op.outputs[0])),))
    with pytest.raises(UnprovedError, match="read before it is written"):
        Facts(circle)


def test_millions_of_states_of_one_operator_take_no_memory_here() -> None:
    tensor = f"int16 {1 << 20},4"
    graph = model("SignalDelay", Row([tensor], [tensor], None, {"delay_length": 3}))
    arena = predictor.predict(write_model(graph)).arena
    assert len(arena.persistent_log) < 10_000
    assert arena.persistent_bytes > 48 << 20


def test_scratch_of_esp_nn_is_an_int() -> None:
    """Of 2^37 bytes nothing is left, as in ESP-NN's own arithmetic."""
    builder = ModelBuilder("strides")
    x = builder.conv_2d(builder.input((1, 4, 4, 4)), 4, kernel=1, padding="same")
    builder.output(x)
    graph = builder.graph()
    op = graph.main.operators[0]
    options = MappingProxyType({**op.options, "stride_w": 2**31 - 1, "dilation_h_factor": 65536})
    main = replace(graph.main, operators=(replace(op, options=options),))
    content = write_model(replace(graph, subgraphs=(main,)))
    arena = predictor.predict(content, tflm="esp-s3").arena
    assert all(buffer.size_bytes < 2**31 for buffer in arena.buffers)


def test_the_picture_of_a_plan_that_no_step_uses() -> None:
    """Tensors of subgraphs that nothing calls are planned for no step."""
    builder = ModelBuilder("idle")
    builder.output(builder.relu(builder.input((1, 4))))
    prediction = predictor.predict(builder.build())
    arena = prediction.arena
    idle = [replace(buffer, first_use=-1, last_use=-1) for buffer in arena.buffers]
    never = replace(arena, buffers=tuple(idle), steps=MappingProxyType({-1: (0, 0)}), peak_step=-1)
    on_core = replace(prediction.on_core, arena=never)
    assert plan_of(replace(prediction, on_core=on_core)).step_count == 1


def test_a_group_in_rows_keeps_no_end_of_the_model_to_itself() -> None:
    builder = ModelBuilder("rows")
    x = builder.input((1, 8, 8, 4))
    inner = builder.conv_2d(x, 4, kernel=3)
    builder.output(builder.conv_2d(inner, 4, kernel=3))
    subgraph, group = read_graph(builder.build()).main, Group(0, (1, 1))
    assert made_group(subgraph, stream_layers(subgraph), group) is not None
    kept = subgraph.operators[0].outputs
    for named in (
        replace(subgraph, inputs=(*subgraph.inputs, *kept)),
        replace(subgraph, outputs=(*subgraph.outputs, *kept)),
    ):
        assert made_group(named, stream_layers(named), group) is None


def test_empty_tensors_of_huge_dimensions() -> None:
    builder = ModelBuilder("empty")
    builder.output(builder.relu(builder.input((1, 4))))
    graph = builder.graph()
    shape = (0, 1 << 30, 1 << 30, 1 << 30)
    tensors = tuple(replace(item, shape=shape) for item in graph.main.tensors)
    main = replace(graph.main, tensors=tensors)
    with pytest.raises(ModelError, match="far beyond the address space"):
        read_graph(write_model(replace(graph, subgraphs=(main,))))


@pytest.mark.parametrize("index", [1, 2], ids=["filter", "bias"])
@pytest.mark.parametrize("more_bytes", [-5, -4, -1, 1, 3, 4, 64])
def test_constants_of_other_lengths_than_their_shapes(index: int, more_bytes: int) -> None:
    builder = ModelBuilder("lengths")
    x = builder.input((1, 6, 6, 4))
    builder.output(builder.conv_2d(builder.depthwise_conv_2d(x, kernel=3), 4, kernel=1))
    graph = builder.graph()
    tensors = list(graph.main.tensors)
    data = tensors[index].data
    assert data is not None
    other = (bytes(data) + bytes(64))[: data.nbytes + more_bytes]
    tensors[index] = replace(tensors[index], data=memoryview(other))
    main = replace(graph.main, tensors=tuple(tensors))
    found = optimization.optimize_model(
        write_model(replace(graph, subgraphs=(main,))),
        kernels="mn",
        settings=OptimizeOptions(time_limit_s=0.05),
    )
    assert found.after.arena.required_bytes <= found.before.arena.required_bytes


@pytest.mark.parametrize("shape", [(1, 3, 3, 4), (3, 3, 1, 4), (9, 1, 1, 4), (3, 1, 3, 4)])
def test_depthwise_filters_of_other_dimensions(shape: tuple[int, ...]) -> None:
    """Their taps are not those of a window."""
    builder = ModelBuilder("dimensions")
    builder.output(builder.depthwise_conv_2d(builder.input((1, 6, 6, 4)), kernel=3))
    main = builder.graph().main
    tensors = list(main.tensors)
    tensors[main.operators[0].inputs[1]] = replace(
        tensors[main.operators[0].inputs[1]], shape=shape
    )
    layer = layer_sum(replace(main, tensors=tuple(tensors)), main.operators[0])
    assert (layer is not None) == (shape[0] == 1)
