"""Layers one after the other, as groups of them run in rows."""

from __future__ import annotations

import random

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import device_model, preparable
from predictor.model.device.stream_group import Group, made_group, stream_layers
from predictor.model.graph import Graph


def in_rows(graph: Graph, chance: random.Random) -> Graph:
    """A model whose layers stand in groups, some with prepared filters."""
    layers = stream_layers(graph.main)
    groups = []
    first = 0
    while first < len(layers):
        count = next(
            (
                count
                for count in range(len(layers) - first, 1, -1)
                if made_group(graph.main, layers, Group(first, (1,) * count))
            ),
            0,
        )
        if count:
            groups.append(Group(first, tuple(chance.choice((1, 1, 2, 3)) for _ in range(count))))
        first += count or 1
    prepared = [index for index in preparable(graph) if chance.random() < 0.4]
    return device_model(graph, prepared=prepared, groups=groups)


def chain(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Layers one after the other, for a group in rows: of one pair of types."""
    types, weights = chance.choice(
        (("int8", None), ("int8", None), ("int8", "int4"), ("int4", None), ("int4", "int8"))
    )
    depth = chance.choice((2, 4, 6, 8, 12, 16, 18, 24))
    x = builder.input((1, chance.randint(6, 20), 2 * chance.randint(2, 10), depth))
    if types == "int4":
        x = builder.quantize(x, "int4")
    for _ in range(chance.randint(2, 5)):
        x = _link(builder, chance, x, weights)
    return builder.quantize(x, "int8") if types == "int4" else x


def _link(
    builder: ModelBuilder, chance: random.Random, x: TensorRef, weights: str | None
) -> TensorRef:
    choice = chance.randint(0, 11)
    kernel = chance.choice((1, 2, 3, 3))
    if choice < 4:
        channels, kernel = chance.choice((2, 4, 8, 10, 16, 24)), chance.choice((1, 1, 3))
        return builder.conv_2d(x, channels, kernel=kernel, activation="relu", weights=weights)
    if choice < 8:
        return builder.depthwise_conv_2d(x, kernel=kernel, weights=weights)
    if choice < 10:
        method = chance.choice((builder.average_pool_2d, builder.max_pool_2d))
        return method(x, kernel=2, stride=1, padding="same")
    if choice == 10:
        return builder.relu6(x)
    return builder.add(x, builder.conv_2d(x, x.shape[3], kernel=3, weights=weights))


def whole(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """A chain that is padded on its way, and ends with a pooling over the whole image."""
    types, weights = chance.choice((("int8", None), ("int8", None), ("int4", None)))
    depth = chance.choice((2, 4, 6, 8, 12, 18, 24))
    x = builder.input((1, chance.randint(4, 20), 2 * chance.randint(2, 10), depth))
    if types == "int4":
        x = builder.quantize(x, "int4")
    for _ in range(chance.randint(1, 2)):
        sides = [(chance.randint(0, 3), chance.randint(0, 3)) for _ in range(2)]
        x = builder.pad(x, ((0, 0), *sides, (0, 0)))
        x = builder.depthwise_conv_2d(x, kernel=3, padding="valid", weights=weights)
    x = builder.average_pool_2d(x)
    return builder.quantize(x, "int8") if types == "int4" else x
