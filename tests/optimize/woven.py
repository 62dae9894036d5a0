"""Random networks whose branches meet, with channels planted in them that no output needs.

Two convolutions read one tensor; their outputs meet (ADD, SUB, MUL, MAXIMUM, CONCATENATION) or one
of them goes on alone, through operators that work channel by channel, to a layer that ends the
channels. Scales and zero points are random; constants have any value where no padding sees them.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.tensors import stored_bytes
from predictor.model.graph import Graph, Quantization, Tensor
from predictor.model.tflite_reader import read_graph
from predictor.optimization.compaction.surgery import integers
from tests.optimize.planted import Planted

_MEETINGS = ("ADD", "SUB", "MUL", "MAXIMUM", "CONCATENATION", "alone")
_ACTIVATIONS = ("none", "relu", "relu6")
_STEPS = (
    *("relu", "relu6", "leaky_relu", "hard_swish", "max_pool", "average_pool", "quantize"),
    *("times", "plus", "pad", "deep", "deep_valid", "bilinear", "nearest"),
)
_ENDS = ("pointwise", "valid", "same", "mean", "flatten", "average")
_ZERO_ONLY = {"leaky_relu", "hard_swish", "pad", "deep", "same", "mean"}
"""Where a constant stays one only if it is a real zero."""


def woven_network(seed: int) -> Planted:
    """One to three such groups in a row."""
    weaver = _Weaver(seed)
    x = weaver.start()
    groups = []
    for number in range(weaver.chance.randint(1, 3)):
        x, group = weaver.group(x, number)
        groups.append(group)
    return weaver.finish(x, groups)


class _Group:
    """Names of the layers of one group, and whether constants must be zeros."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.meeting = ""
        self.branches: list[str] = []
        self.deep: list[str] = []
        self.factors: list[str] = []
        self.end = ""
        self.is_zero_only = False
        self.has_offset = False

    def can_have(self, kind: str) -> bool:
        """A constant that was added is no zero any more."""
        return not (self.has_offset and kind in _ZERO_ONLY)


class _Weaver:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.builder = ModelBuilder(f"woven_{seed}", seed=seed)

    def _scaling(self, spread: float = 1.0) -> Quantization:
        scale = float(np.float32(self.chance.uniform(0.015, 0.06) * spread))
        return Quantization((scale,), (self.chance.randint(-128, 100),))

    def start(self) -> TensorRef:
        size = self.chance.choice((4, 6, 9))
        depth = self.chance.choice((1, 2, 3, 5, 8))
        x = self.builder.input((1, size, size, depth), quantization=self._scaling())
        return self.builder.conv_2d(x, 6, kernel=3, quantization=self._scaling(), activation="relu")

    def group(self, x: TensorRef, number: int) -> tuple[TensorRef, _Group]:
        group, wide = _Group(f"g{number}"), self.chance.choice((5, 6, 8, 11, 16))
        group.meeting = self.chance.choice(_MEETINGS)
        scalings = [self._scaling(), self._scaling()]
        if group.meeting in ("MAXIMUM", "CONCATENATION"):
            scalings[1] = scalings[0]
        ends = []
        for place in range(1 if group.meeting == "alone" else 2):
            name = f"{group.name}_branch{place}"
            group.branches.append(name)
            kernel, activation = self.chance.choice((1, 3)), self.chance.choice(_ACTIVATIONS)
            end = self.builder.conv_2d(
                x,
                wide,
                kernel=kernel,
                quantization=scalings[place],
                activation=activation,
                name=name,
            )
            ends.append(end)
        y = self._met(group, ends)
        for _ in range(self.chance.randint(0, 3)):
            y = self._step(group, y, self.chance.choice(_STEPS))
        return self._ended(group, y), group

    def _met(self, group: _Group, ends: list[TensorRef]) -> TensorRef:
        if len(ends) == 1:
            return ends[0]
        a, b = ends
        activation = self.chance.choice(("none", "relu"))
        if group.meeting == "CONCATENATION":
            return self.builder.concatenation([a, b])
        if group.meeting == "MAXIMUM":
            return self.builder.maximum(a, b)
        join = {"ADD": self.builder.add, "SUB": self.builder.sub, "MUL": self.builder.mul}
        scaling = self._scaling(1.5)
        return join[group.meeting](a, b, activation=activation, quantization=scaling)

    def _step(self, group: _Group, y: TensorRef, kind: str) -> TensorRef:
        build, small = self.builder, min(y.shape[1:3]) < 3
        if not group.can_have(kind):
            return y
        if kind in ("max_pool", "average_pool", "deep_valid") and small:
            return y
        group.is_zero_only |= kind in _ZERO_ONLY
        if kind in ("relu", "relu6"):
            return build.relu6(y) if kind == "relu6" else build.relu(y, quantization=y.quantization)
        if kind == "leaky_relu":
            return build.leaky_relu(y)
        if kind == "hard_swish":
            return build.hard_swish(y)
        if kind == "max_pool":
            return build.max_pool_2d(y, kernel=2, stride=self.chance.choice((1, 2)))
        if kind == "average_pool":
            return build.average_pool_2d(y, kernel=2, stride=1, padding="same")
        if kind == "quantize":
            return build.quantize(y, quantization=self._scaling())
        if kind in ("times", "plus"):
            values = np.random.default_rng(self.chance.randrange(1 << 30)).integers(
                -100, 100, y.shape[-1], np.int8
            )
            name = f"{group.name}_factors{len(group.factors)}"
            group.factors.append(name)
            factors = build.constant(values, quantization=Quantization((0.01,), (3,)), name=name)
            group.has_offset |= kind == "plus"
            join = build.mul if kind == "times" else build.add
            return join(y, factors, quantization=self._scaling())
        if kind == "pad":
            return build.pad(y, ((0, 0), (1, 0), (0, 2), (0, 0)))
        if kind in ("bilinear", "nearest"):
            size = (y.shape[1] + 2, y.shape[2] + 1)
            resize = build.resize_bilinear if kind == "bilinear" else build.resize_nearest_neighbor
            return resize(y, size)
        name = f"{group.name}_deep{len(group.deep)}"
        group.deep.append(name)
        padding = "same" if kind == "deep" else "valid"
        return build.depthwise_conv_2d(
            y, kernel=3, padding=padding, quantization=self._scaling(), name=name
        )

    def _ended(self, group: _Group, y: TensorRef) -> TensorRef:
        build, kind = self.builder, self.chance.choice(_ENDS)
        if not group.can_have(kind) or (kind == "valid" and min(y.shape[1:3]) < 3):
            kind = "pointwise"
        group.is_zero_only |= kind in _ZERO_ONLY
        group.end = f"{group.name}_end"
        if kind in ("mean", "average", "flatten"):
            if kind == "mean":
                y = build.mean(y, (1, 2))
            else:
                y = build.average_pool_2d(y) if kind == "average" else y
                y = build.reshape(y, (1, -1))
            y = build.fully_connected(y, 32, quantization=self._scaling(), name=group.end)
            return build.reshape(y, (1, 4, 4, 2))
        kernel = 1 if kind == "pointwise" else 3
        return build.conv_2d(
            y, 6, kernel=kernel, padding="valid" if kind == "valid" else "same",
            quantization=self._scaling(), activation="relu", name=group.end,
        )  # fmt: skip

    def finish(self, x: TensorRef, groups: list[_Group]) -> Planted:
        self.builder.output(x)
        return _Plants(read_graph(self.builder.build()), self.chance).planted(groups)


class _Plants:
    def __init__(self, graph: Graph, chance: random.Random) -> None:
        self._graph, self._chance = graph, chance
        self._tensors = list(graph.main.tensors)
        self._writer = {
            self._tensors[op.outputs[0]].name: op for op in graph.main.operators if op.outputs
        }
        self._found = Planted(graph)

    def planted(self, groups: list[_Group]) -> Planted:
        for group in groups:
            self._plant(group)
        main = replace(self._graph.main, tensors=tuple(self._tensors))
        self._found.graph = replace(self._graph, subgraphs=(main,))
        return self._found

    def _constant_of(self, layer: str, position: int) -> tuple[Tensor, np.ndarray]:
        tensor = self._tensors[self._writer[layer].inputs[position]]
        return tensor, integers(tensor).copy()

    def _store(self, tensor: Tensor, values: np.ndarray) -> None:
        data = memoryview(stored_bytes(values, tensor.type))
        self._tensors[tensor.index] = replace(tensor, data=data)

    def _plant(self, group: _Group) -> None:
        wide = self._tensors[self._writer[group.branches[0]].outputs[0]].shape[-1]
        channels = self._chance.sample(range(wide), 4)
        self._silence(group, channels[0])
        if self._chance.random() < 0.7:
            self._unread(group, channels[1], wide)
        if self._chance.random() < 0.7:
            self._equal(group, *sorted(channels[2:]), wide)

    def _silence(self, group: _Group, channel: int) -> None:
        """No weights, and a bias that gives any value, or a real zero where it must be."""
        for place, name in enumerate(group.branches):
            weights, values = self._constant_of(name, 1)
            values[channel] = 0
            self._store(weights, values)
            bias, values = self._constant_of(name, 2)
            values[channel] = 0 if group.is_zero_only else self._chance.randint(-4000, 4000)
            self._store(bias, values)
            self._found.constant.add((name, channel))
            start = place * len(values) if group.meeting == "CONCATENATION" else 0
            for deep in group.deep if group.is_zero_only else ():
                bias, own = self._constant_of(deep, 2)
                own[start + channel] = 0
                self._store(bias, own)

    def _unread(self, group: _Group, channel: int, wide: int) -> None:
        weights, values = self._constant_of(group.end, 1)
        depth = wide * (2 if group.meeting == "CONCATENATION" else 1)
        shaped = values.reshape(len(values), -1, depth)
        shaped[:, :, channel] = 0
        self._store(weights, shaped.reshape(values.shape))
        self._found.unread.add((group.branches[0], channel))
        if group.meeting != "CONCATENATION" and len(group.branches) > 1:
            self._found.unread.add((group.branches[1], channel))

    def _equal(self, group: _Group, first: int, second: int, wide: int) -> None:
        """One channel is made as another one all along the way, and read with small weights."""
        is_joined = group.meeting == "CONCATENATION"
        for name in group.branches[:1] if is_joined else group.branches:
            self._copy(name, 0, first, second)
            self._found.equal.add((name, second))
        for name in group.deep:
            self._copy(name, 3, first, second)
        for name in group.factors:
            tensor = next(t for t in self._tensors if t.name == name)
            values = integers(tensor).copy()
            values[second] = values[first]
            self._store(tensor, values)
        weights, values = self._constant_of(group.end, 1)
        shaped = values.reshape(len(values), -1, wide * (2 if is_joined else 1))
        for channel in (first, second):
            shaped[:, :, channel] = np.trunc(shaped[:, :, channel] / 3)
        self._store(weights, shaped.reshape(values.shape))

    def _copy(self, layer: str, axis: int, first: int, second: int) -> None:
        for position, along in ((1, axis), (2, 0)):
            tensor, values = self._constant_of(layer, position)
            moved = np.moveaxis(values, along, 0)
            moved[second] = moved[first]
            self._store(tensor, values)
            scaling = tensor.quantization
            if scaling is not None and scaling.is_per_channel:
                scales = list(scaling.scales)
                scales[second] = scales[first]
                tensor = self._tensors[tensor.index]
                changed = replace(scaling, scales=tuple(scales))
                self._tensors[tensor.index] = replace(tensor, quantization=changed)
