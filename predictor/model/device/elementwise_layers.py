"""From activations, means and operators of two tensors to what the project's kernels take.

See :mod:`predictor.model.device.layers`.
"""

from __future__ import annotations

import struct
from math import prod

from predictor.model.device.activation_tables import activation_table
from predictor.model.device.elementwise_options import LookupOptions, MeanOptions, PairOptions
from predictor.model.device.node import LayerNode
from predictor.model.device.options import AddOptions, Dims
from predictor.model.floating import quotient, single
from predictor.model.graph import Tensor, TensorType
from predictor.model.requantization import Multiplier

_ADD_LEFT_SHIFT = 20
_MOST_REDUCED = 1 << 22
_MOST_DIMENSIONS = 4


def lookup(node: LayerNode) -> LookupOptions:
    """An activation function of int8."""
    input, output = node.input(0), node.output()
    _need_int8(node, input, output)
    node.ensure(input.elements == output.elements > 0, "input and output differ in size")
    return LookupOptions(output.elements, activation_table(node))


def mean(node: LayerNode) -> MeanOptions:
    """MEAN over dimensions that lie side by side, those of one element not counted."""
    input, output = node.input(0), node.output()
    _need_int8(node, input, output)
    node.ensure(min(input.shape, default=1) > 0, "the input has no elements")
    axes = _axes(node, input)
    kept = [axis for axis in range(len(input.shape)) if axis not in axes]
    outer = prod(input.shape[axis] for axis in kept if axis < min(axes))
    inner = prod(input.shape[axis] for axis in kept if axis > max(axes))
    reduced = prod(input.shape[axis] for axis in axes)
    between = [axis for axis in kept if min(axes) < axis < max(axes)]
    node.ensure(
        all(input.shape[axis] == 1 for axis in between) and reduced <= _MOST_REDUCED,
        "the kernel takes dimensions side by side, with up to 2^22 elements",
    )
    node.ensure(output.elements == outer * inner, "the output's size is not that of the means")
    source, target = node.activations(input), node.activations(output)
    factor = single(source.scale) / single(target.scale)
    multiplier, shift = _divided(*node.multiplier(factor), reduced)
    return MeanOptions(
        outer, reduced, inner, -source.zero_point, multiplier, shift, target.zero_point
    )


def _axes(node: LayerNode, input: Tensor) -> frozenset[int]:
    """The dimensions over which a mean is taken, outermost ones of one element left out."""
    axes, rank = node.input(1), len(input.shape)
    node.ensure(
        axes.data is not None and axes.type == TensorType.INT32 and 0 < axes.elements <= 8,
        "the axes must be constant INT32",
    )
    assert axes.data is not None
    values = struct.unpack_from(f"<{axes.elements}i", axes.data)
    node.ensure(all(-rank <= axis < rank for axis in values), f"it has no axes {list(values)}")
    resolved = {axis % rank for axis in values}
    return frozenset(axis for axis in resolved if input.shape[axis] > 1) or frozenset(resolved)


def _divided(multiplier: int, shift: int, count: int) -> Multiplier:
    """A factor divided by ``count``, as ``QuantizedMeanOrSum`` does it."""
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def pair(node: LayerNode) -> PairOptions:
    """MUL, SUB, MAXIMUM, MINIMUM, and ADD of tensors of which one is repeated."""
    first, second, output = node.input(0), node.input(1), node.output()
    _need_int8(node, first, second, output)
    dims = _four(node, first), _four(node, second)
    output_dims = _four(node, output)
    node.ensure(
        all(
            size in (1, whole)
            for each in dims
            for size, whole in zip(each, output_dims, strict=True)
        ),
        "the inputs do not repeat to the output",
    )
    operator = "BROADCAST_ADD" if node.op.name == "ADD" else node.op.name
    params: tuple[int, ...] = ()
    if operator == "MUL":
        params = _mul_params(node, first, second, output)
    elif operator in ("BROADCAST_ADD", "SUB"):
        params = sum_options(node, first, second, output).params()
    return PairOptions(operator, dims, output_dims, params)


def sum_options(node: LayerNode, first: Tensor, second: Tensor, output: Tensor) -> AddOptions:
    """ADD or SUB, whatever the inputs' shapes; SUB computes its factors in single precision."""
    round_to = single if node.op.name == "SUB" else float
    quantizations = [node.activations(tensor) for tensor in (first, second, output)]
    scales = [single(quantization.scale) for quantization in quantizations]
    twice = 2.0 * max(scales[:2])
    divisors = (twice, twice, (1 << _ADD_LEFT_SHIFT) * scales[2])
    factors = map(quotient, (*scales[:2], twice), divisors)
    pairs = [node.multiplier(round_to(factor)) for factor in factors]
    node.ensure(
        all(multiplier and shift <= 0 for multiplier, shift in pairs),
        "the output's scale is too small for its inputs'",
    )
    offsets = [quantization.zero_point for quantization in quantizations]
    return AddOptions(
        node.bits(output),
        output.elements,
        ((-offsets[0], *pairs[0]), (-offsets[1], *pairs[1])),
        (offsets[2], *pairs[2]),
        node.fused_activation("SubOptions" if node.op.name == "SUB" else "AddOptions", output),
        _ADD_LEFT_SHIFT,
    )


def _mul_params(node: LayerNode, first: Tensor, second: Tensor, output: Tensor) -> tuple[int, ...]:
    quantizations = [node.activations(tensor) for tensor in (first, second, output)]
    scales = [single(quantization.scale) for quantization in quantizations]
    multiplier, shift = node.multiplier(quotient(scales[0] * scales[1], scales[2]))
    offsets = [quantization.zero_point for quantization in quantizations]
    bounds = node.fused_activation("MulOptions", output)
    return (-offsets[0], -offsets[1], offsets[2], multiplier, shift, *bounds)


def _need_int8(node: LayerNode, *tensors: Tensor) -> None:
    for tensor in tensors:
        node.ensure(
            tensor.type == TensorType.INT8,
            f"tensor {tensor.name!r} is {tensor.type.name}; this kernel takes INT8",
        )


def _four(node: LayerNode, tensor: Tensor) -> Dims:
    node.ensure(
        len(tensor.shape) <= _MOST_DIMENSIONS and min(tensor.shape, default=1) > 0,
        f"tensor {tensor.name!r} has the shape {list(tensor.shape)}; it has at most 4 dimensions",
    )
    n, h, w, c = (1,) * (_MOST_DIMENSIONS - len(tensor.shape)) + tensor.shape
    return n, h, w, c
