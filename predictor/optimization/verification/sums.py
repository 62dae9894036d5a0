"""Layers with weights: what is left of one when channels of its input are gone."""

from __future__ import annotations

import numpy as np

from predictor.errors import UnprovedError
from predictor.optimization.verification.arithmetic import Array
from predictor.optimization.verification.facts import Facts
from predictor.optimization.verification.reading import Sum, depth
from predictor.records import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Expected:
    """Weights [outputs, window places, inputs] and biases of all outputs of a layer.

    ``lost``: for each output the channel that is gone although it matters to it, -1 for none.
    """

    weights: Array
    bias: Array
    lost: Array


def same_depthwise(layer: Sum, first: Sum, left: Array, channels: int) -> Array:
    """Outputs of the old layer that the new one's are, which reads these channels of its input.

    Raises:
        UnprovedError: its weights, biases or scales are not theirs.
    """
    per_input = len(first.weights) // channels
    own = np.add.outer(left * per_input, np.arange(per_input)).reshape(-1)
    if len(layer.weights) != len(own):
        raise UnprovedError("its channels do not belong together")
    same = (
        np.array_equal(layer.weights, first.weights[own])
        and np.array_equal(layer.bias, first.bias[own])
        and layer.factors == [first.factors[place] for place in own]
        and [*layer.bias_scales] == [_at(first.bias_scales, place) for place in own]
    )
    if not same:
        raise UnprovedError("its weights, biases or scales are not those of its channels")
    return own


def expected(first: Sum, facts: Facts, source: int, left: Array) -> Expected:
    """What the old layer is on the channels of its input that are left."""
    tensor = facts.graph.tensors[source]
    channels = depth(tensor)
    outputs, places, inputs = first.weights.shape
    tiles = first.weights.reshape(outputs, places, inputs // channels, channels)
    weights = tiles[..., left].copy()
    bias = first.bias.copy()
    classes = facts.classes(source)
    outside = first.leaves().astype(bool)
    lost = np.full(outputs, -1, np.int64)
    for channel in sorted(set(range(channels)) - set(left.tolist())):
        own = tiles[..., channel]
        if not own.any():
            continue
        value = facts.value(source, channel)
        doubles = np.flatnonzero(classes[left] == classes[channel])
        if value is not None and (value == first.in_zero or not own[:, outside].any()):
            bias += own.sum(axis=(1, 2)) * (value - first.in_zero)
        elif len(doubles):
            weights[..., doubles[0]] += own
        else:
            lost[own.any(axis=(1, 2))] = channel
    return Expected(weights.reshape(outputs, places, -1), bias, lost)


def same_outputs(layer: Sum, first: Sum, wanted: Expected) -> Array:
    """Outputs of the old layer that the new one's are, in their order.

    Raises:
        UnprovedError: one is none of them.
    """
    if layer.weights.shape[1:] != wanted.weights.shape[1:]:
        raise UnprovedError("its weights have another shape")
    rows = _rows(wanted, first)
    kept = np.flatnonzero(wanted.lost < 0)
    found: list[int] = []
    place = 0
    own = Expected(layer.weights, layer.bias, np.full(len(layer.weights), -1, np.int64))
    for number, row in enumerate(_rows(own, layer)):
        while place < len(kept) and rows[kept[place]] != row:
            place += 1
        if place == len(kept):
            gone = "" if len(kept) == len(rows) else f", channel {wanted.lost.max()} gone"
            raise UnprovedError(f"output channel {number} is none of the first model's{gone}")
        found.append(int(kept[place]))
        place += 1
    return np.array(found, np.int64)


def _rows(values: Expected, layer: Sum) -> list[tuple[object, ...]]:
    """All that decides an output, for each of them, and whether TFLM takes its bias."""
    weights = np.ascontiguousarray(values.weights)
    return [
        (
            weights[output].tobytes(),
            int(values.bias[output]),
            layer.factors[output],
            _at(layer.bias_scales, output),
        )
        for output in range(len(weights))
    ]


def _at(scales: tuple[float, ...], output: int) -> float | None:
    """A bias's scale, None where there are not as many as outputs."""
    return scales[output] if output < len(scales) else None
