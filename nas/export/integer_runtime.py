"""Computes what the project's kernels compute of a network of int8 and int4 tensors, on a batch.

No runtime of TensorFlow takes INT4 activations. Multipliers, offsets and bounds come from the
predictor, which gives them to the kernels; the arithmetic is that of docs/quantization.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from predictor.errors import UsageError
from predictor.model.device.layers import options_of
from predictor.model.graph import Graph, Operator, Subgraph
from predictor.optimization.compaction.spans import multiplied
from predictor.optimization.compaction.surgery import integers

Integers = npt.NDArray[np.int64]


def run_graph(graph: Graph, x: npt.NDArray[np.integer[Any]]) -> Integers:
    """Logits, as integers, for quantised images (batch, height, width, channels).

    Raises:
        UsageError: an operator that networks of a search do not have.
    """
    main = graph.main
    tensors: dict[int, Integers] = {main.inputs[0]: x.astype(np.int64)}
    for op in main.operators:
        if op.name == "SOFTMAX":
            return tensors[op.inputs[0]]
        if op.name not in _OPERATORS:
            raise UsageError(f"operator {op.index} ({op.name}) is not one of a search's networks")
        arguments = [tensors[index] for index in op.inputs if index in tensors]
        options = options_of(main, op)
        tensors[op.outputs[0]] = _OPERATORS[op.name](main, op, options, *arguments)
    return tensors[main.outputs[0]]


def _requantized(x: Integers, options: Any) -> Integers:
    scaled = multiplied(x, options.tables.multipliers, options.tables.shifts)
    return np.asarray(np.clip(scaled + options.output_offset, *options.activation))


def _exact(run: Callable[[Any], Any], x: Integers) -> Integers:
    """A sum of products by TensorFlow; 64-bit floats hold these integers exactly."""
    return np.asarray(np.rint(run(tf.constant(x, tf.float64)).numpy()), np.int64)


def _constants(subgraph: Subgraph, op: Operator) -> tuple[Any, Integers]:
    filter, bias = (integers(subgraph.tensors[index]) for index in op.inputs[1:3])
    return filter.astype(np.float64), bias


def _conv(subgraph: Subgraph, op: Operator, options: Any, x: Integers) -> Integers:
    filter, bias = _constants(subgraph, op)
    kernel, stride = filter.transpose(1, 2, 3, 0), list(options.stride)
    sums = _exact(
        lambda x: tf.nn.conv2d(x, kernel, stride, "SAME"),
        x + options.input_offset,
    )
    return _requantized(sums + bias, options)


def _depthwise(subgraph: Subgraph, op: Operator, options: Any, x: Integers) -> Integers:
    filter, bias = _constants(subgraph, op)
    kernel, stride = filter[0][..., None], [1, *options.stride, 1]
    sums = _exact(
        lambda x: tf.nn.depthwise_conv2d(x, kernel, stride, "SAME"),
        x + options.input_offset,
    )
    return _requantized(sums + bias, options)


def _dense(subgraph: Subgraph, op: Operator, options: Any, x: Integers) -> Integers:
    filter, bias = _constants(subgraph, op)
    sums = (x.reshape(len(x), -1) + options.input_offset) @ filter.astype(np.int64).T
    return _requantized(sums + bias, options)


def _pool(subgraph: Subgraph, op: Operator, options: Any, x: Integers) -> Integers:
    window, stride = list(options.window), list(options.stride)
    averages = tf.nn.avg_pool2d(tf.constant(x, tf.float64), window, stride, "SAME").numpy()
    # Halves go away from zero; a little more than a half makes up for the division's rounding.
    rounded = np.sign(averages) * np.floor(np.abs(averages) + 0.5 + 1e-9)
    return np.asarray(np.clip(rounded.astype(np.int64), *options.activation))


def _add(subgraph: Subgraph, op: Operator, options: Any, x: Integers, y: Integers) -> Integers:
    total = np.zeros_like(x)
    for values, (offset, multiplier, shift) in zip((x, y), options.inputs, strict=True):
        total += multiplied((values + offset) << options.left_shift, multiplier, shift)
    offset, multiplier, shift = options.output
    return np.asarray(np.clip(multiplied(total, multiplier, shift) + offset, *options.activation))


def _quantize(subgraph: Subgraph, op: Operator, options: Any, x: Integers) -> Integers:
    scaled = multiplied(x + options.input_offset, options.multiplier, options.shift)
    half = 1 << (options.output_bits - 1)
    return np.asarray(np.clip(scaled + options.output_offset, -half, half - 1))


_OPERATORS: Mapping[str, Callable[..., Integers]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "QUANTIZE": _quantize,
}
