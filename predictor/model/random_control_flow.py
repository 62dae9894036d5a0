"""Random models with branches, loops and variables, for tests and benchmarks of their work."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from predictor.model.builder import ModelBuilder, SubgraphBuilder, TensorRef
from predictor.model.builder.core import OutputSpec
from predictor.model.builder.tensors import range_quantization
from predictor.model.graph import TensorType

_RANGE = range_quantization(TensorType.INT8, -1.0, 1.0)
MOST_ROUNDS = 12


def random_control_flow(seed: int) -> ModelBuilder:
    """A random int8 model with some of IF, WHILE, CALL_ONCE and resource variables.

    Its conditions and rounds follow from constants, or depend on inputs (``inputs_of``).
    """
    return _RandomControlFlow(seed).build()


def inputs_of(builder: ModelBuilder, seed: int) -> list[npt.NDArray[np.generic]]:
    """Random inputs for such a model; limits of loops are small."""
    chance = np.random.default_rng(seed)
    draws: Mapping[TensorType, tuple[type, int, int]] = {
        TensorType.BOOL: (np.bool_, 0, 2),
        TensorType.INT32: (np.int32, 0, 6),
        TensorType.INT8: (np.int8, -128, 128),
    }
    graph = builder.graph()
    arrays: list[npt.NDArray[np.generic]] = []
    for index in graph.main.inputs:
        tensor = graph.main.tensors[index]
        kind, low, high = draws[tensor.type]
        arrays.append(chance.integers(low, high, tensor.shape).astype(kind))
    return arrays


class _RandomControlFlow:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._builder = ModelBuilder(f"control_flow_{seed}", seed=seed)
        self._width = self._random.choice((16, 24, 32, 64, 96, 128))

    def build(self) -> ModelBuilder:
        builder, chance = self._builder, self._random
        x = builder.input((1, self._width), quantization=_RANGE)
        stateful = chance.random() < 0.5
        if stateful:
            self._call_once()
        steps = [self._branch, self._loop, self._open_loop, self._layers]
        odds = (4, 4, 2, 2)
        for _ in range(chance.randint(1, 3)):
            (step,) = chance.choices(steps, odds)
            x = step(builder, x)
            if stateful and chance.random() < 0.6:
                x = self._variable(builder, x)
        builder.output(x)
        return builder

    def _layers(self, part: SubgraphBuilder, x: TensorRef, most: int = 3) -> TensorRef:
        for _ in range(self._random.randint(1, most)):
            kind = self._random.choice(("dense", "dense", "add", "relu"))
            if kind == "dense":
                wide = part.fully_connected(x, self._random.choice((16, 48, self._width)))
                x = part.fully_connected(wide, self._width)
            elif kind == "add":
                x = part.add(x, x)
            else:
                x = part.relu(x)
        return self._in_range(part, x)

    def _in_range(self, part: SubgraphBuilder, x: TensorRef) -> TensorRef:
        """Requantised, so that all of control flow's tensors have one quantisation."""
        (y,) = part.operator("QUANTIZE", [x], [((1, self._width), "int8", _RANGE)], {})
        return y

    def _spec(self) -> OutputSpec:
        return (1, self._width), "int8", _RANGE

    def _branch(
        self, part: SubgraphBuilder, x: TensorRef, condition: TensorRef | None = None
    ) -> TensorRef:
        """An IF on an input, or on a condition."""
        if condition is None:
            condition = self._builder.input((1,), "bool")
        branches = []
        for name in ("then", "else"):
            branch = self._builder.subgraph(name)
            y = branch.input((1, self._width), quantization=_RANGE)
            branch.output(self._layers(branch, y))
            branches.append(branch.index)
        options = dict(zip(("then_subgraph_index", "else_subgraph_index"), branches, strict=True))
        (y,) = part.operator("IF", [condition, x], [self._spec()], options)
        return y

    def _loop(self, part: SubgraphBuilder, x: TensorRef) -> TensorRef:
        """A WHILE of known length."""
        start, step = self._random.randint(-3, 3), self._random.randint(1, 3)
        limit = start + step * self._random.randint(0, MOST_ROUNDS)
        return self._while(part, x, part.constant([start]), limit, step)

    def _open_loop(self, part: SubgraphBuilder, x: TensorRef) -> TensorRef:
        """A WHILE that counts an input down."""
        rounds = self._builder.input((1,), "int32")
        zero = part.constant([0])
        (negative,) = part.operator("SUB", [zero, rounds], [((1,), "int32")], {})
        return self._while(part, x, negative, 0, 1)

    def _while(
        self, part: SubgraphBuilder, x: TensorRef, start: TensorRef, limit: int, step: int
    ) -> TensorRef:
        condition, body = self._builder.subgraph("cond"), self._builder.subgraph("body")
        counter = condition.input((1,), "int32")
        condition.input((1, self._width), quantization=_RANGE)
        last = condition.constant([limit])
        condition.output(*condition.operator("LESS", [counter, last], [((1,), "bool")], {}))
        counter = body.input((1,), "int32")
        y = body.input((1, self._width), quantization=_RANGE)
        if self._random.random() < 0.3:
            y = self._branch(body, y, self._is_early(body, counter, limit - 2 * step))
        y = self._layers(body, y, most=2)
        one = body.constant([step])
        (following,) = body.operator("ADD", [counter, one], [((1,), "int32")], {})
        body.output(following, y)
        options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
        outputs: list[OutputSpec] = [((1,), "int32"), self._spec()]
        _, y = part.operator("WHILE", [start, x], outputs, options)
        return y

    def _is_early(self, part: SubgraphBuilder, counter: TensorRef, limit: int) -> TensorRef:
        """Whether a round is not among the last: a condition that its counter decides."""
        (is_early,) = part.operator("LESS", [counter, part.constant([limit])], [((1,), "bool")], {})
        return is_early

    def _handle(self, part: SubgraphBuilder, number: int) -> TensorRef:
        options = {"container": "", "shared_name": f"v{number}"}
        (handle,) = part.operator("VAR_HANDLE", [], [((), "resource")], options)
        return handle

    def _call_once(self) -> None:
        """Initialises a variable that the main subgraph then reads and assigns."""
        first = self._builder.subgraph("init")
        handle = self._handle(first, 0)
        values = np.zeros((1, self._width), np.int8)
        value = first.constant(values, "int8", quantization=_RANGE)
        first.operator("ASSIGN_VARIABLE", [handle, value], [], {})
        first.output(value)
        self._builder.operator("CALL_ONCE", [], [], {"init_subgraph_index": first.index})

    def _variable(self, part: SubgraphBuilder, x: TensorRef) -> TensorRef:
        handle = self._handle(part, 0)
        (state,) = part.operator("READ_VARIABLE", [handle], [self._spec()], {})
        y = self._in_range(part, part.add(x, state))
        part.operator("ASSIGN_VARIABLE", [handle, y], [], {})
        return y
