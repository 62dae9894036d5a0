"""Random networks with channels planted in them that no output needs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import numpy as np

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.tensors import stored_bytes
from predictor.model.graph import Graph, Operator, Quantization, Tensor
from predictor.model.tflite_reader import read_graph
from predictor.optimization.compaction.surgery import integers


@dataclass
class Planted:
    """A network, and for each planted kind the (tensor, channel) that can go."""

    graph: Graph
    constant: set[tuple[str, int]] = field(default_factory=set)
    equal: set[tuple[str, int]] = field(default_factory=set)
    unread: set[tuple[str, int]] = field(default_factory=set)

    @property
    def all(self) -> set[tuple[str, int]]:
        return self.constant | self.equal | self.unread


def planted_network(seed: int) -> Planted:
    """Branches, residuals, paddings and pools around layers with planted channels."""
    chance = random.Random(seed)
    builder = ModelBuilder(f"planted_{seed}", seed=seed)
    size = chance.choice((5, 8, 12))
    weights = chance.choice(("int8", "int8", "int4"))
    x = builder.input((1, size, size + chance.randrange(3), chance.choice((1, 3, 8))))
    hidden: list[str] = []
    x = builder.conv_2d(x, chance.choice((8, 12)), kernel=3, activation="relu")
    for block in range(chance.randint(2, 5)):
        x = _block(builder, chance, x, block, weights, hidden)
    if chance.random() < 0.5:
        x = builder.average_pool_2d(x)
        x = builder.reshape(x, (1, -1))
    if chance.random() < 0.7:
        x = builder.fully_connected(x, 5)
    builder.output(x)
    return _plant(read_graph(builder.build()), hidden, chance)


def _block(
    builder: ModelBuilder,
    chance: random.Random,
    x: TensorRef,
    block: int,
    weights: str,
    hidden: list[str],
) -> TensorRef:
    """Expansion, depthwise, projection: the first two have channels of their own."""
    depth = x.shape[-1]
    wide = chance.choice((6, 9, 16, 20))
    y = builder.conv_2d(
        x, wide, activation=chance.choice(("relu", "relu6")), weights=weights, name=f"wide_{block}"
    )
    hidden.append(y.name)
    if chance.random() < 0.3 and min(y.shape[1:3]) > 2:
        y = builder.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = builder.depthwise_conv_2d(
            y, kernel=3, padding="valid", activation="relu", name=f"deep_{block}"
        )
    elif chance.random() < 0.8:
        y = builder.depthwise_conv_2d(
            y, kernel=chance.choice((1, 3)), activation="relu", name=f"deep_{block}"
        )
    if chance.random() < 0.3:
        y = builder.max_pool_2d(y, kernel=2, stride=1, padding="same")
    kind = chance.choice(("residual", "joined", "plain", "plain"))
    if kind == "residual":
        y = builder.conv_2d(y, depth, quantization=x.quantization, name=f"narrow_{block}")
        return builder.add(x, y)
    y = builder.conv_2d(
        y, chance.choice((7, 8)), kernel=chance.choice((1, 3)), activation="relu",
        quantization=x.quantization, name=f"narrow_{block}",
    )  # fmt: skip
    return builder.concatenation([x, y]) if kind == "joined" else y


def _plant(graph: Graph, hidden: list[str], chance: random.Random) -> Planted:
    plants = _Plants(graph, chance)
    for name in hidden:
        plants.in_layer(name)
    return plants.planted()


class _Plants:
    def __init__(self, graph: Graph, chance: random.Random) -> None:
        self._graph, self._chance = graph, chance
        self._tensors = list(graph.main.tensors)
        self._found = Planted(graph)

    def planted(self) -> Planted:
        main = replace(self._graph.main, tensors=tuple(self._tensors))
        self._found.graph = replace(self._graph, subgraphs=(main,))
        return self._found

    def in_layer(self, name: str) -> None:
        """Plants up to one channel of each kind in a convolution's output."""
        op = next(
            op for op in self._graph.main.operators if self._tensors[op.outputs[0]].name == name
        )
        path = self._path(op)
        channels = self._tensors[op.outputs[0]].shape[-1]
        free = self._chance.sample(range(1, channels), 3)
        if self._chance.random() < 0.8:
            self._constant(path, free[0])
            self._note(self._found.constant, path, free[0])
        if self._chance.random() < 0.8:
            self._equal(path, 0, free[1])
            self._note(self._found.equal, path, free[1])
        if self._chance.random() < 0.8:
            self._change(path[-1].inputs[1], lambda w: _zeroed(w, free[2]))
            self._note(self._found.unread, path, free[2])

    def _note(self, kind: set[tuple[str, int]], path: list[Operator], channel: int) -> None:
        kind.add((self._tensors[path[0].outputs[0]].name, channel))

    def _path(self, op: Operator) -> list[Operator]:
        """The convolution, what works channel by channel behind it, and the next convolution."""
        path = [op]
        while len(path) == 1 or path[-1].name != "CONV_2D":
            written = path[-1].outputs[0]
            path.append(next(o for o in self._graph.main.operators if written in o.inputs[:1]))
        return path

    def _change(self, index: int, change: object) -> None:
        tensor = self._tensors[index]
        values = change(integers(tensor))  # type: ignore[operator]
        self._tensors[index] = _with_integers(tensor, values)

    def _constant(self, path: list[Operator], channel: int) -> None:
        """No weights, and biases below all that activations leave: real zeros, as in padding."""

        def silent(bias: np.ndarray) -> np.ndarray:
            bias[channel] = -abs(bias).max() * 8 - 1
            return bias

        def empty(weights: np.ndarray) -> np.ndarray:
            weights[channel] = 0
            return weights

        self._change(path[0].inputs[1], empty)
        for op in path[:-1]:
            if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                self._change(op.inputs[2], silent)

    def _equal(self, path: list[Operator], first: int, second: int) -> None:
        """One channel is made as another one all along the path, and read with small weights."""
        for op in path[:-1]:
            if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                continue
            axis = 0 if op.name == "CONV_2D" else 3
            for position, along in ((1, axis), (2, 0)):
                tensor = self._tensors[op.inputs[position]]
                values = np.moveaxis(integers(tensor), along, 0)
                values[second] = values[first]
                values = np.moveaxis(values, 0, along)
                quantization = tensor.quantization
                if quantization is not None and quantization.is_per_channel:
                    scales = list(quantization.scales)
                    scales[second] = scales[first]
                    quantization = Quantization(
                        tuple(scales), quantization.zero_points, quantization.dimension
                    )
                self._tensors[tensor.index] = replace(
                    _with_integers(tensor, values), quantization=quantization
                )

        def small(weights: np.ndarray) -> np.ndarray:
            for channel in (first, second):
                weights[..., channel] = np.trunc(weights[..., channel] / 3)
            return weights

        self._change(path[-1].inputs[1], small)


def _zeroed(weights: np.ndarray, channel: int) -> np.ndarray:
    weights[..., channel] = 0
    return weights


def _with_integers(tensor: Tensor, values: np.ndarray) -> Tensor:
    return replace(tensor, data=memoryview(stored_bytes(values, tensor.type)))
