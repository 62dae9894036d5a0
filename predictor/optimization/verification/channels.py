"""Operators that work channel by channel."""

from __future__ import annotations

import numpy as np

from predictor.model.graph import Operator, Subgraph
from predictor.optimization.verification.arithmetic import Array
from predictor.optimization.verification.reading import constant, depth

POINTWISE = ("ADD", "MUL", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "MAXIMUM", "MINIMUM")
"""Operators of which each output follows from the inputs at its place."""


def channel_parts(graph: Subgraph, op: Operator) -> list[tuple[int, Array]] | None:
    """For operators that work channel by channel: of each input, which channel each output reads.

    None for operators of which that is not known. Constants with one element have no part.
    """
    output = graph.tensors[op.outputs[0]]
    channels = depth(output)
    every = np.arange(channels)
    if op.name == "RESHAPE":
        source = depth(graph.tensors[op.inputs[0]])
        return [(op.inputs[0], every % source)] if source and channels % source == 0 else None
    if op.name == "CONCATENATION":
        if joins_channels(graph, op):
            owners = [np.arange(depth(graph.tensors[index])) for index in op.inputs]
            # TFLM does not look at the ranks of its inputs, and so they may not go together.
            is_whole = sum(own.size for own in owners) == channels
            return list(zip(op.inputs, owners, strict=True)) if is_whole else None
        alike = all(depth(graph.tensors[index]) == channels for index in op.inputs)
        return [(index, every) for index in op.inputs] if alike else None
    sizes = {"PAD": 1, "MEAN": 1, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1}
    known = (
        *POINTWISE,
        *sizes,
        *("ABS", "AVERAGE_POOL_2D", "DEQUANTIZE", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC"),
        *("MAX_POOL_2D", "SUB", "TANH"),
    )
    if op.name not in known or not is_by_channel(graph, op):
        return None
    parts = []
    for position, index in enumerate(op.inputs):
        tensor = graph.tensors[index]
        if sizes.get(op.name) == position or (tensor.data is not None and tensor.elements == 1):
            continue
        if depth(tensor) != channels:
            return None
        parts.append((index, every))
    return parts


def joins_channels(graph: Subgraph, op: Operator) -> bool:
    """Whether a CONCATENATION joins along the last axis; TFLM lets ranks of 0 pass."""
    rank = len(graph.tensors[op.outputs[0]].shape)
    return rank > 0 and int(op.options.get("axis", 0)) % rank == rank - 1


def is_by_channel(graph: Subgraph, op: Operator) -> bool:
    if op.name not in ("PAD", "MEAN"):
        return True
    numbers = constant(graph.tensors[op.inputs[1]])
    rank = len(graph.tensors[op.inputs[0]].shape)
    if numbers is None:
        return False
    if op.name == "PAD":
        return not numbers.reshape(-1, 2)[-1].any()
    return rank > 0 and all(int(axis) % rank != rank - 1 for axis in numbers.reshape(-1))
