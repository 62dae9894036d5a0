"""Random and very long models, for tests and benchmarks of memory planning."""

from __future__ import annotations

import random
from collections.abc import Callable

from predictor.errors import UsageError
from predictor.model.builder import ModelBuilder, TensorRef

_CHANNELS = (4, 8, 8, 8, 12, 16)
_MAX_CHANNELS = 64
_MAX_ELEMENTS = 16 * 1024
_RECENT = 4
_MAX_CONCATENATED = 4


def random_graph(seed: int, *, min_operators: int = 5, max_operators: int = 60) -> ModelBuilder:
    """A random int8 model whose operators TFLM's kernels and TensorFlow Lite's both accept.

    It has branches, residual additions, concatenations, operators with several outputs, several
    inputs and outputs, tensors that live long, many of equal size, and now and then a tensor
    that nothing reads.

    Raises:
        UsageError: the bounds are not 1 <= min_operators <= max_operators.
    """
    if not 1 <= min_operators <= max_operators:
        raise UsageError(f"no graph has from {min_operators} to {max_operators} operators")
    return _RandomGraph(seed, min_operators, max_operators).build()


class _RandomGraph:
    def __init__(self, seed: int, min_operators: int, max_operators: int) -> None:
        self._random = random.Random(seed)
        self._builder = ModelBuilder(f"random_{seed}", seed=seed)
        self._operators = self._random.randint(min_operators, max_operators)
        self._tensors: list[TensorRef] = []
        self._unread: dict[int, TensorRef] = {}
        self._steps: tuple[tuple[Callable[[TensorRef], list[TensorRef]], int], ...] = (
            (self._conv_2d, 5),
            (self._depthwise_conv_2d, 3),
            (self._pool, 2),
            (self._residual, 5),
            (self._concatenation, 3),
            (self._split, 2),
            (self._activation, 5),
            (self._reshaped, 2),
            (self._pad, 1),
            (self._slice, 1),
            (self._resize, 1),
            (self._transpose_conv, 1),
            (self._mean, 1),
            (self._classifier, 1),
        )

    def build(self) -> ModelBuilder:
        builder, chance = self._builder, self._random
        size = chance.choice((4, 6, 8, 12))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            channels = chance.choice(_CHANNELS)
            self._written([builder.input((1, size, chance.choice((size, 2 * size)), channels))])
        methods, odds = zip(*self._steps, strict=True)
        while builder.operator_count < self._operators:
            (step,) = chance.choices(methods, odds)
            x = self._operand()
            written = step(x)
            if written:
                self._read(x)
                self._written(written)
        self._outputs()
        return builder

    def _outputs(self) -> None:
        """What nothing reads becomes an output, mostly; now and then an inner tensor, too."""
        chance = self._random
        last = self._tensors[-1]
        inner = [tensor for tensor in self._tensors if tensor.index not in self._unread]
        chosen = [t for t in self._unread.values() if t is last or chance.random() < 0.8]
        if inner and chance.random() < 0.3:
            chosen.append(chance.choice(inner))
        chance.shuffle(chosen)
        self._builder.output(*chosen)

    def _written(self, tensors: list[TensorRef]) -> None:
        self._tensors += tensors
        self._unread.update((tensor.index, tensor) for tensor in tensors)

    def _operand(self) -> TensorRef:
        """Mostly a recent or unread tensor, sometimes an old one, which thereby lives long."""
        recent, unread = self._tensors[-_RECENT:], list(self._unread.values())
        pools = (recent, unread or recent, self._tensors)
        return self._random.choice(self._random.choices(pools, (5, 4, 2))[0])

    def _read(self, tensor: TensorRef) -> TensorRef:
        self._unread.pop(tensor.index, None)
        return tensor

    def _others(self, x: TensorRef, axis: int | None = None) -> list[TensorRef]:
        """Other tensors of the same shape, except along an axis."""

        def key(tensor: TensorRef) -> tuple[int, ...]:
            return tuple(dim for i, dim in enumerate(tensor.shape) if i != axis)

        return [other for other in self._tensors if other is not x and key(other) == key(x)]

    # Steps: each returns what it adds, nothing where its operator does not fit the tensor.

    def _conv_2d(self, x: TensorRef) -> list[TensorRef]:
        chance = self._random
        return [
            self._builder.conv_2d(
                x,
                chance.choice(_CHANNELS),
                kernel=chance.choice((1, 1, 3, (3, 1))),
                stride=chance.choice((1, 1, 1, 2)),
                activation=chance.choice(("none", "relu", "relu6")),
                weights=chance.choice(("int8", "int8", "int4")),
            )
        ]

    def _depthwise_conv_2d(self, x: TensorRef) -> list[TensorRef]:
        chance = self._random
        return [
            self._builder.depthwise_conv_2d(
                x,
                kernel=3,
                multiplier=2 if x.shape[3] <= 8 and chance.random() < 0.2 else 1,
                stride=chance.choice((1, 1, 1, 2)),
                activation=chance.choice(("none", "relu", "relu6")),
                weights=chance.choice(("int8", "int8", "int4")),
            )
        ]

    def _pool(self, x: TensorRef) -> list[TensorRef]:
        method = self._random.choice((self._builder.average_pool_2d, self._builder.max_pool_2d))
        return [method(x, kernel=2, stride=self._random.choice((1, 2)), padding="same")]

    def _residual(self, x: TensorRef) -> list[TensorRef]:
        chance, builder = self._random, self._builder
        others = self._others(x)
        if not others:
            inner = builder.conv_2d(x, x.shape[3], activation="relu")
            return [builder.add(x, inner)]
        other = self._read(chance.choice(others))
        method = chance.choice((builder.add, builder.add, builder.sub, builder.mul))
        return [method(x, other, activation=chance.choice(("none", "relu")))]

    def _concatenation(self, x: TensorRef) -> list[TensorRef]:
        chance, builder = self._random, self._builder
        others = self._others(x, axis=3)
        chance.shuffle(others)
        parts = [x]
        for other in others[: chance.randint(1, _MAX_CONCATENATED - 1)]:
            if sum(part.shape[3] for part in parts) + other.shape[3] > _MAX_CHANNELS:
                break
            self._read(other)
            if other.quantization != x.quantization:
                other = builder.quantize(other, quantization=x.quantization)
            parts.append(other)
        return [builder.concatenation(parts, axis=3)]

    def _split(self, x: TensorRef) -> list[TensorRef]:
        parts = self._random.choice((2, 2, 4))
        return list(self._builder.split(x, parts, axis=3)) if x.shape[3] % parts == 0 else []

    def _activation(self, x: TensorRef) -> list[TensorRef]:
        builder = self._builder
        methods: tuple[Callable[..., TensorRef], ...] = (
            builder.relu,
            builder.relu,
            builder.relu6,
            builder.leaky_relu,
            builder.hard_swish,
            builder.logistic,
            builder.tanh,
            builder.quantize,
            builder.softmax,
        )
        return [self._random.choice(methods)(x)]

    def _reshaped(self, x: TensorRef) -> list[TensorRef]:
        batch, height, width, depth = x.shape
        if self._random.random() < 0.5:
            return [self._builder.transpose(x, (0, 2, 1, 3))]
        return [self._builder.reshape(x, (batch, width, height, depth))]

    def _pad(self, x: TensorRef) -> list[TensorRef]:
        if 4 * x.tensor.elements > _MAX_ELEMENTS:
            return []
        return [self._builder.pad(x, ((0, 0), (1, 1), (self._random.randint(0, 1), 1), (0, 0)))]

    def _slice(self, x: TensorRef) -> list[TensorRef]:
        batch, height, width, depth = x.shape
        if height < 2:
            return []
        step = self._random.choice((1, 2))
        end = (batch, height, width, depth)
        return [self._builder.strided_slice(x, (0, 1, 0, 0), end, (1, step, 1, 1))]

    def _resize(self, x: TensorRef) -> list[TensorRef]:
        _, height, width, _ = x.shape
        if 4 * x.tensor.elements > _MAX_ELEMENTS:
            return []
        builder = self._builder
        method = self._random.choice((builder.resize_nearest_neighbor, builder.resize_bilinear))
        return [method(x, (2 * height, 2 * width))]

    def _transpose_conv(self, x: TensorRef) -> list[TensorRef]:
        if 4 * x.tensor.elements > _MAX_ELEMENTS:
            return []
        return [self._builder.transpose_conv(x, x.shape[3], kernel=3, stride=2)]

    def _mean(self, x: TensorRef) -> list[TensorRef]:
        """Squeeze and excitation: a mean, small layers, and a multiplication by the result."""
        if self._random.random() < 0.5:
            return [self._builder.mean(x, (1, 2), keep_dims=True)]
        squeezed = self._builder.average_pool_2d(x)
        excited = self._builder.logistic(self._builder.conv_2d(squeezed, x.shape[3]))
        return [self._builder.mul(x, excited)]

    def _classifier(self, x: TensorRef) -> list[TensorRef]:
        """A fully connected layer, whose output becomes an image of one pixel again."""
        chance, builder = self._random, self._builder
        features = builder.mean(x, (1, 2)) if chance.random() < 0.5 else builder.reshape(x, (1, -1))
        hidden = builder.fully_connected(
            features,
            chance.choice(_CHANNELS),
            activation=chance.choice(("none", "relu")),
            weights=chance.choice(("int8", "int8", "int4")),
        )
        return [builder.reshape(hidden, (1, 1, 1, -1))]


def chain(operators: int, *, branch_every: int = 0, seed: int = 0) -> ModelBuilder:
    """A long int8 chain of 1x1 convolutions of changing width, for benchmarks of scaling.

    Every ``branch_every``-th operator is instead an addition to the last tensor of equal shape;
    0 stands for no branches.

    Raises:
        UsageError: there is no operator, or ``branch_every`` is negative.
    """
    if operators < 1 or branch_every < 0:
        raise UsageError("a chain needs at least one operator and branch_every from 0 on")
    builder = ModelBuilder(f"chain_{operators}", seed=seed)
    x = builder.input((1, 8, 8, _CHANNELS[0]))
    # The first operand of a branch is two steps old where widths allow, and lives that long.
    last_of_width: dict[int, TensorRef] = {}
    for step in range(1, operators + 1):
        older = last_of_width.get(x.shape[3])
        last_of_width[x.shape[3]] = x
        if branch_every and step % branch_every == 0 and older is not None:
            x = builder.add(older, x, quantization=x.quantization)
        else:
            x = builder.conv_2d(x, _CHANNELS[step % len(_CHANNELS)])
    builder.output(x)
    return builder
