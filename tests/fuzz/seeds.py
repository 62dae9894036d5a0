"""Models that mutations start from: small ones of the builder, and each operator."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from predictor.model.builder import ModelBuilder
from predictor.model.device.device_model import device_model
from predictor.model.example_models import ds_cnn
from predictor.model.graph import Graph
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_writer import write_model
from tests.fuzz import operators
from tests.networks import int4_layers, network

_RANDOM_GRAPHS = 12


@cache
def seed_graphs() -> tuple[Graph, ...]:
    """Whole models, and one for each operator."""
    return (*_whole_models(), *operators.models())


@cache
def seed_files() -> tuple[bytes, ...]:
    """The same as files."""
    return tuple(map(write_model, seed_graphs()))


def _whole_models() -> Iterator[Graph]:
    yield ds_cnn(channels=8, blocks=1).graph()
    for seed in range(_RANDOM_GRAPHS):
        yield random_graph(seed, max_operators=15).graph()
    for made in (_loop, _condition, _variables, _planned, _shared):
        builder = ModelBuilder(made.__name__.strip("_"))
        made(builder)
        yield builder.graph()
    for graph in (network(), network("int4", "int4"), int4_layers()):
        yield graph
        yield device_model(graph)


def _loop(builder: ModelBuilder) -> None:
    x = builder.input((1, 4, 4, 4))
    condition, body = builder.subgraph(), builder.subgraph()
    inner = condition.input((1, 4, 4, 4))
    shape = condition.constant(np.array([1, 1], np.int32))
    flag = condition.operator("RESHAPE", [inner, shape], [((1, 1), "bool")], {"new_shape": (1, 1)})
    condition.output(*flag)
    step = body.input((1, 4, 4, 4))
    body.output(body.relu(body.conv_2d(step, 4, kernel=3)))
    table = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    builder.output(*builder.operator("WHILE", [x], [((1, 4, 4, 4), "int8")], table))


def _condition(builder: ModelBuilder) -> None:
    flag, x = builder.input((1,), "bool"), builder.input((1, 4, 4, 4))
    branches = []
    for channels in (2, 4):
        branch = builder.subgraph()
        inner = branch.input((1, 4, 4, 4))
        branch.output(branch.conv_2d(branch.conv_2d(inner, channels), 4))
        branches.append(branch.index)
    table = {"then_subgraph_index": branches[0], "else_subgraph_index": branches[1]}
    builder.output(*builder.operator("IF", [flag, x], [((1, 4, 4, 4), "int8")], table))


def _variables(builder: ModelBuilder) -> None:
    once = builder.subgraph()
    value = once.constant(np.zeros((1, 8), np.float32))
    names = {"container": "", "shared_name": "state"}
    (held,) = once.operator("VAR_HANDLE", [], [((), "resource")], names)
    once.operator("ASSIGN_VARIABLE", [held, value], [], {})
    once.output(value)
    x = builder.input((1, 8), "float32")
    builder.operator("CALL_ONCE", [], [], {"init_subgraph_index": once.index})
    (handle,) = builder.operator("VAR_HANDLE", [], [((), "resource")], names)
    (read,) = builder.operator("READ_VARIABLE", [handle], [((1, 8), "float32")], {})
    builder.output(builder.add(x, read))


def _planned(builder: ModelBuilder) -> None:
    x = builder.input((1, 8, 8, 4))
    y = builder.conv_2d(x, 8, kernel=3)
    z = builder.depthwise_conv_2d(y, kernel=3)
    builder.output(builder.max_pool_2d(z, kernel=2, stride=2))
    builder.offline_plan({x: 512, y: 0, z: 512})


def _shared(builder: ModelBuilder) -> None:
    """Many readers, outputs that nothing reads, two outputs of the model."""
    x = builder.input((1, 6, 6, 4))
    parts = builder.split(x, 2, axis=3)
    y = builder.concatenation([*parts, parts[0]], axis=3)
    builder.output(builder.mean(y, (1, 2)), builder.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))))
