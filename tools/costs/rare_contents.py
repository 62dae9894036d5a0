"""Constants that are rare in layers with weights: any shift and bias, filters of zeros."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from predictor.model.device.names import WEIGHTED
from predictor.model.graph import Graph, Operator, Quantization, Subgraph, Tensor

LOWEST_SHIFT, HIGHEST_SHIFT = -31, 30
_LIMIT = 1 << 31


def with_rare_contents(graph: Graph, chance: random.Random) -> Graph:
    """The graph with other scales, biases and filters in its layers with weights.

    A layer's shifts are all from one range: any, left ones, right ones beyond 20, or one.
    """
    rng = np.random.default_rng(chance.randrange(1 << 30))
    tensors = list(graph.main.tensors)
    for op in graph.main.operators:
        if op.name in WEIGHTED:
            _change(tensors, op, chance, rng)
    main: Subgraph = replace(graph.main, tensors=tuple(tensors))
    return replace(graph, subgraphs=(main, *graph.subgraphs[1:]))


def _change(
    tensors: list[Tensor], op: Operator, chance: random.Random, rng: np.random.Generator
) -> None:
    input, filter, output = (tensors[i] for i in (*op.inputs[:2], op.outputs[0]))
    assert input.quantization is not None
    assert filter.quantization is not None
    assert output.quantization is not None
    one = chance.randint(LOWEST_SHIFT, HIGHEST_SHIFT)
    low, high = chance.choice(
        ((LOWEST_SHIFT, HIGHEST_SHIFT), (0, HIGHEST_SHIFT), (-31, -21), (one, one))
    )
    ratio = output.quantization.scale / input.quantization.scale
    channels = len(filter.quantization.scales)
    shifts = rng.integers(low, high + 1, channels)
    scales = (ratio * rng.uniform(0.55, 0.95, channels) * 2.0**shifts).astype(np.float32)
    tensors[op.inputs[1]] = replace(
        filter,
        quantization=_scaled(filter.quantization, scales),
        data=_some_zero(filter, rng) if chance.random() < 0.5 else filter.data,
    )
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        bias = tensors[op.inputs[2]]
        limit = _LIMIT if chance.random() < 0.7 else 1000
        values = rng.integers(-limit, limit, bias.elements).astype("<i4")
        assert bias.quantization
        products = np.multiply(np.float32(input.quantization.scale), scales)
        tensors[op.inputs[2]] = replace(
            bias,
            quantization=_scaled(bias.quantization, products),
            data=memoryview(values.tobytes()),
        )


def _scaled(quantization: Quantization, scales: np.ndarray) -> Quantization:
    return replace(quantization, scales=tuple(map(float, scales)))


def _some_zero(filter: Tensor, rng: np.random.Generator) -> memoryview:
    """A filter whose rows, taken as equal parts of its bytes, are zero for one in three."""
    assert filter.data is not None
    rows = np.frombuffer(filter.data, np.uint8).copy()
    parts = np.array_split(rows, max(1, filter.shape[0]))
    for part in parts:
        part *= rng.random() < 2 / 3
    return memoryview(rows.tobytes())
