"""What the costs of the project's kernels read of constants."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from predictor.model.builder import ModelBuilder
from predictor.model.device.device_model import device_model, preparable
from predictor.model.device.options import WeightedOptions
from predictor.model.device.reader import read_options
from predictor.model.graph import Graph
from predictor.operators.mn.contents import contents_of
from tools.costs.rare_contents import with_rare_contents


def layer(bias: int, is_prepared: bool) -> Graph:
    """A device model of a depthwise layer whose shifts are all far below -20."""
    for seed in range(100):
        builder = ModelBuilder(seed=3)
        builder.output(builder.depthwise_conv_2d(builder.input((1, 6, 6, 9)), kernel=3))
        graph = with_rare_contents(builder.graph(), random.Random(seed))
        options = options_of(device_model(graph))
        if max(options.tables.shifts) < -20:
            break
    tensors = list(graph.main.tensors)
    index = graph.main.operators[0].inputs[2]
    values = np.full(9, bias, "<i4").tobytes()
    tensors[index] = replace(tensors[index], data=memoryview(values))
    main = replace(graph.main, tensors=tuple(tensors))
    graph = replace(graph, subgraphs=(main,))
    return device_model(graph, prepared=preparable(graph) if is_prepared else ())


def options_of(graph: Graph) -> WeightedOptions:
    (op,) = graph.main.operators
    options = read_options(op.name, op.custom_options)
    assert isinstance(options, WeightedOptions)
    return options


def is_plain(graph: Graph, options: WeightedOptions) -> bool:
    return contents_of(graph.main, graph.main.operators[0], options).is_plain


@pytest.mark.parametrize("is_prepared", [False, True])
def test_large_biases_are_not_plain(is_prepared: bool) -> None:
    small, large = layer(1000, is_prepared), layer(1 << 30, is_prepared)
    assert is_plain(small, options_of(small))
    assert not is_plain(large, options_of(large))


@pytest.mark.parametrize("is_prepared", [False, True])
@pytest.mark.parametrize("position", [1, 2])
def test_constants_too_short_are_not_read(is_prepared: bool, position: int) -> None:
    """Files hold any sizes; Prepare refuses them, costs are asked of any tensors."""
    graph = layer(1 << 30, is_prepared)
    options, index = options_of(graph), graph.main.operators[0].inputs[position]
    tensors = list(graph.main.tensors)
    for data in (None, memoryview(b""), memoryview(bytes(5))):
        tensors[index] = replace(tensors[index], data=data)
        main = replace(graph.main, tensors=tuple(tensors))
        contents_of(main, main.operators[0], options)
