"""Descriptions and models that the builder refuses."""

from __future__ import annotations

from typing import Any

import pytest

from predictor.errors import UsageError
from predictor.model.builder import ModelBuilder
from predictor.model.random_graphs import chain, random_graph

IMAGE = (1, 6, 6, 4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b, x: b.conv_2d(x, 3, kernel=0), "kernel 0"),
        (lambda b, x: b.conv_2d(x, 3, kernel=7, padding="valid"), "does not fit"),
        (lambda b, x: b.conv_2d(x, 3, padding="full"), "unknown padding 'full'"),
        (lambda b, x: b.conv_2d(x, 3, activation="gelu"), "unknown activation 'gelu'"),
        (lambda b, x: b.conv_2d(x, 3, weights="float32"), "use int8 or int4"),
        (lambda b, x: b.conv_2d(x, 3, weights="int5"), "unknown element type 'int5'"),
        (lambda b, x: b.conv_2d(b.mean(x, (1, 2)), 3), "(batch, height, width, depth)"),
        (lambda b, x: b.conv_2d(b.input(IMAGE, "bool"), 3), "bool"),
        (lambda b, x: b.fully_connected(b.input(()), 3), "scalar"),
        (lambda b, x: b.add(x, b.input((1, 6, 5, 4))), "cannot be broadcast"),
        (lambda b, x: b.add(x, b.input(IMAGE, "int16")), "int8 and int16"),
        (lambda b, x: b.concatenation([]), "at least one"),
        (lambda b, x: b.concatenation([x, b.relu(x)]), "quantize(x"),
        (lambda b, x: b.concatenation([x, b.reshape(x, (1, 4, 9, 4))]), "differ beyond axis"),
        (lambda b, x: b.split(x, 3), "no 3 equal parts"),
        (lambda b, x: b.mean(x, (4,)), "axis 4"),
        (lambda b, x: b.reshape(x, (7, -1)), "cannot be reshaped"),
        (lambda b, x: b.transpose(x, (0, 1)), "no permutation"),
        (lambda b, x: b.pad(x, ((0, 1),)), "4 pairs"),
        (lambda b, x: b.strided_slice(x, (0,), (1,)), "4 numbers each"),
        (lambda b, x: b.resize_bilinear(x, (0, 2)), "(height, width)"),
        (lambda b, x: b.dequantize(b.input((1,), "float32")), "not quantised"),
        (lambda b, x: b.quantize(x, "float32"), "not quantised"),
        (lambda b, x: b.input((1, -1)), "is no shape"),
        (lambda b, x: b.constant([300], "int8"), "do not fit the type int8"),
        (lambda b, x: b.constant([9], "int4"), "-8 to 7"),
        (lambda b, x: b.constant("text"), "no array of numbers"),
        (lambda b, x: b.relu(ModelBuilder("other").input((1,))), "another subgraph or model"),
        (lambda b, x: b.operator("RELU", ["x"], [(IMAGE, "int8")]), "no tensor"),
        (lambda b, x: b.operator("CONV2D", [x], [], {}), "no builtin operator"),
        (lambda b, x: b.operator("CONV2D", [x], []), "no builtin operator"),
        (lambda b, x: b.operator("ADD", [x], [], {"axis": 1}), "no option 'axis'"),
        (lambda b, x: b.operator("RELU", [x], [], {"axis": 1}), "has no options"),
        (lambda b, x: b.operator("Mine", [x], [], {"a": 1}, is_custom=True), "custom_options"),
    ],
)
def test_wrong_descriptions_say_what_and_where(build: Any, message: str) -> None:
    builder = ModelBuilder("broken")
    x = builder.input(IMAGE)
    with pytest.raises(UsageError) as caught:
        build(builder, x)
    assert message in str(caught.value)
    assert "model 'broken'" in str(caught.value)
    assert "at operator" in str(caught.value)


def test_wrong_models_are_refused_when_built() -> None:
    builder = ModelBuilder("broken")
    x = builder.input(IMAGE)
    y = builder.relu(x)
    with pytest.raises(UsageError, match="no output"):
        builder.build()
    builder.output(y)
    builder.offline_plan({x: -5})
    with pytest.raises(UsageError, match="-5 is no arena offset"):
        builder.build()
    builder.offline_plan({ModelBuilder("other").input(IMAGE): 0})
    with pytest.raises(UsageError, match="another subgraph or model"):
        builder.build()
    builder.offline_plan({})
    builder.operator("CONV_2D", [x], [(IMAGE, "int8")], {"stride_h": "two"})
    with pytest.raises(UsageError, match=r"operator 1 \(CONV_2D\)"):
        builder.build()
    with pytest.raises(UsageError, match="at least one operator"):
        chain(0)
    with pytest.raises(UsageError, match="from 5 to 4 operators"):
        random_graph(0, min_operators=5, max_operators=4)
