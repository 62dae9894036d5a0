"""Random networks whose layers run in rows."""

from __future__ import annotations

import random

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import device_model, preparable
from predictor.model.device.stream_group import Group, made_group, stream_layers
from predictor.model.graph import Graph, TensorType
from predictor.model.tflite_reader import read_graph

TYPES = (("int8", "int8"), ("int8", "int4"), ("int4", "int4"), ("int4", "int8"))


def random_network(seed: int, types: tuple[str, str]) -> Graph:
    """A chain with branches of layers that a group may have; rows are whole bytes."""
    chance, builder = random.Random(f"{seed} {types}"), ModelBuilder("rows", seed=seed)
    activations, weights = types
    shape = (1, chance.randint(3, 14), 2 * chance.randint(1, 5), chance.choice((1, 2, 3, 4, 8)))
    x = builder.input(shape)
    if activations == "int4":
        x = builder.quantize(x, "int4")
    for _ in range(chance.randint(2, 7)):
        x = _layer(builder, chance, x, weights)
    if chance.random() < 0.3 and (activations == "int8" or x.shape[3] % 2 == 0):
        x = builder.average_pool_2d(x)
    builder.output(builder.quantize(x, "int8") if activations == "int4" else x)
    return read_graph(builder.build())


def _layer(builder: ModelBuilder, chance: random.Random, x: TensorRef, weights: str) -> TensorRef:
    kernel = chance.choice((1, 2, 3, (3, 1), (1, 3), (4, 2), 5))
    stride, activation = chance.choice((1, 1, 2)), chance.choice(("none", "relu6"))
    padding = chance.choice(("same", "same", "valid"))
    window = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    if x.shape[1] < window[0] or x.shape[2] < window[1]:
        padding = "same"
    dilation = chance.choice((1, 1, 2)) if padding == "same" and stride == 1 else 1
    choice = chance.randint(0, 13)
    if choice < 4:
        return builder.conv_2d(
            x, chance.choice((2, 4, 6, 10)), kernel=kernel, stride=stride, dilation=dilation,
            padding=padding, activation=activation, weights=weights, bias=chance.random() < 0.8,
        )  # fmt: skip
    if choice < 8:
        multiplier = chance.choice((1, 1, 1, 2)) if x.shape[3] < 9 else 1
        return builder.depthwise_conv_2d(
            x, kernel=kernel, stride=stride, dilation=dilation, padding=padding,
            activation=activation, weights=weights, multiplier=multiplier,
        )  # fmt: skip
    if choice == 8:
        method = chance.choice((builder.average_pool_2d, builder.max_pool_2d))
        return method(x, kernel=kernel, stride=stride, padding=padding)
    if choice == 11:
        sides = [(chance.randint(0, 3), chance.randint(0, 2)) for _ in range(2)]
        return builder.pad(x, ((0, 0), *sides, (0, 0)))
    if choice > 11:  # a column of blocks whose rows may all lie in one line buffer
        for _ in range(chance.randint(1, 3)):
            x = builder.depthwise_conv_2d(x, kernel=3, weights=weights)
            outs = chance.choice((x.shape[3], x.shape[3], max(2, x.shape[3] - 2)))
            x = builder.conv_2d(x, outs, kernel=1, weights=weights)
        return x
    if choice == 9 and x.type is TensorType.INT4:
        return builder.relu6(x)  # of int8 there is a kernel in groups only
    y = builder.conv_2d(x, x.shape[3], kernel=3, weights=weights)
    if chance.choice((True, False)):
        return builder.add(y, x)
    return builder.add(y, builder.depthwise_conv_2d(x, kernel=(3, 2), weights=weights))


def random_groups(graph: Graph, seed: int) -> list[Group]:
    """Groups of random lengths and steps, one after the other."""
    chance, layers = random.Random(seed), stream_layers(graph.main)
    groups, first = [], 0
    while first < len(layers):
        lengths = [
            length
            for length in range(2, len(layers) - first + 1)
            if made_group(graph.main, layers, Group(first, (1,) * length)) is not None
        ]
        length = chance.choice([*lengths, max(lengths)]) if lengths else 0
        if length:
            alike = chance.choice((0, 0, 1, 2, 4))
            steps = tuple(alike or chance.choice((1, 1, 2, 3, 99)) for _ in range(length))
            groups.append(Group(first, steps))
        first += length or 1
    return groups


def in_rows(graph: Graph, seed: int, share: float = 0.5) -> Graph:
    """The device model of a network with random groups, this share of its filters prepared."""
    chance = random.Random(seed)
    prepared = [index for index in preparable(graph) if chance.random() < share]
    return device_model(graph, prepared=prepared, groups=random_groups(graph, seed))
