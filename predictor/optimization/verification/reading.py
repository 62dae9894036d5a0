"""Models as the verifier reads them: constants as arrays, layers with weights as sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.optimization.verification.arithmetic import Array, clamp_of, fixed_point, single
from predictor.records import dataclass

RANGES = {TensorType.INT8: (-128, 127), TensorType.INT4: (-8, 7)}
"""Types whose channels are followed."""
_STORED = {
    TensorType.INT8: "<i1",
    TensorType.INT32: "<i4",
    TensorType.INT64: "<i8",
    TensorType.FLOAT32: "<f4",
    TensorType.INT16: "<i2",
    TensorType.UINT8: "<u1",
    TensorType.BOOL: "<u1",
}


def depth(tensor: Tensor) -> int:
    """Length of the last axis."""
    return tensor.shape[-1] if tensor.shape else 1


def constant(tensor: Tensor) -> Array | None:
    """The integers of a constant in its shape, None where it is none or incomplete."""
    if tensor.data is None or tensor.data.nbytes < tensor.stored_bytes:
        return None
    raw = bytes(tensor.data)[: tensor.stored_bytes]
    if tensor.type == TensorType.INT4:
        halves = [half for byte in raw for half in (byte & 15, byte >> 4)]
        signed = [half - 16 if half > 7 else half for half in halves[: tensor.elements]]
        return np.array(signed, np.int64).reshape(tensor.shape)
    kind = _STORED.get(tensor.type)
    if kind is None or tensor.type == TensorType.FLOAT32:
        return None
    return np.frombuffer(raw, kind).astype(np.int64).reshape(tensor.shape)


def elements(tensor: Tensor) -> Array | None:
    """A constant of any type in its shape, as bit patterns that only serve to be compared."""
    whole = constant(tensor)
    if whole is not None or tensor.data is None or tensor.type != TensorType.FLOAT32:
        return whole
    if tensor.data.nbytes < tensor.stored_bytes:
        return None
    words = np.frombuffer(bytes(tensor.data)[: tensor.stored_bytes], "<u4")
    return words.astype(np.int64).reshape(tensor.shape)


def scale_of(tensor: Tensor) -> float:
    return tensor.quantization.scale if tensor.quantization else 0.0


def zero_of(tensor: Tensor) -> int:
    return tensor.quantization.zero_point if tensor.quantization else 0


def is_alike(first: Tensor, second: Tensor) -> bool:
    """Same type and quantisation, so that equal integers mean equal values to any kernel."""
    return first.type == second.type and first.quantization == second.quantization


@dataclass(frozen=True, eq=False)
class Sum:
    """A convolution or fully connected layer: each output a sum over window and input channels.

    ``weights``: [outputs, window places, inputs]; depthwise [outputs, window places, 1].
    ``reach``: for each of the two axes (first input row, stride, dilation, kernel, input size,
    output size) of the window. ``factors``: fixed-point scaling of each output.
    """

    is_depthwise: bool
    weights: Array
    bias: Array
    scales: tuple[float, ...]
    factors: list[tuple[int, int]]
    reach: tuple[tuple[int, int, int, int, int, int], ...]
    clamp: tuple[int, int]
    in_zero: int
    out_zero: int
    bias_scales: tuple[float, ...]

    def leaves(self) -> Array:
        """1 for each window place that lies outside the input for some output."""
        outside = []
        for first, stride, dilation, kernel, size, outputs in self.reach:
            row = [
                any(
                    not 0 <= first + place * dilation + step * stride < size
                    for step in {0, outputs - 1}
                )
                for place in range(kernel)
            ]
            outside.append(row)
        return np.array([int(a or b) for a in outside[0] for b in outside[1]], np.int64)


def layer_sum(graph: Subgraph, op: Operator, padded: Operator | None = None) -> Sum | None:
    """The layer of an operator, None where it is none that the verifier knows.

    ``padded``: a PAD with zeros before it whose padding counts as the layer's.
    """
    if op.is_custom or op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    x, filter, y = (graph.tensors[index] for index in (op.inputs[0], op.inputs[1], op.outputs[0]))
    bias = graph.tensors[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    values = constant(filter)
    offsets = None if bias is None else constant(bias)
    if (
        values is None
        or (bias is not None and (offsets is None or bias.type != TensorType.INT32))
        or not (x.quantization and filter.quantization and y.quantization)
        or x.type not in RANGES
        or y.type != x.type
        or filter.type not in RANGES
    ):
        return None
    outputs = depth(y)
    is_depthwise = op.name == "DEPTHWISE_CONV_2D"
    reach = _reach(graph, op, padded)
    shaped = _shaped(op, values, x, outputs)
    has_other_biases = offsets is not None and offsets.size != outputs
    if reach is None or shaped is None or has_other_biases:
        return None
    scales = filter.quantization.scales
    if len(scales) not in (1, outputs) or any(filter.quantization.zero_points):
        return None
    function = int(op.options.get("fused_activation_function", 0))
    return Sum(
        is_depthwise,
        shaped,
        np.zeros(outputs, np.int64) if offsets is None else offsets.reshape(-1),
        scales * (outputs // len(scales)),
        _factors(op, x, scales, y, outputs),
        reach,
        clamp_of(function, y.quantization.scale, y.quantization.zero_point, *RANGES[y.type]),
        x.quantization.zero_point,
        y.quantization.zero_point,
        _bias_scales(x, filter, bias, outputs),
    )


def _bias_scales(x: Tensor, filter: Tensor, bias: Tensor | None, outputs: int) -> tuple[float, ...]:
    """The scale of each bias, on which TFLM insists; without biases those that it would take."""
    if bias is not None:
        own = bias.quantization.scales if bias.quantization else (0.0,)
    else:
        scales = filter.quantization.scales if filter.quantization else (0.0,)
        own = tuple(float(np.float32(scale_of(x)) * np.float32(scale)) for scale in scales)
    return own * (outputs // len(own)) if len(own) in (1, outputs) else own


def _shaped(op: Operator, values: Array, x: Tensor, outputs: int) -> Array | None:
    if op.name == "FULLY_CONNECTED":
        if values.ndim != 2 or values.shape[0] != outputs or values.shape[1] % depth(x):
            return None
        return values[:, None, :]
    if values.ndim != 4:
        return None
    if op.name == "CONV_2D":
        if values.shape[0] != outputs or values.shape[3] != depth(x):
            return None
        return values.reshape(outputs, -1, values.shape[3])
    if values.shape[0] != 1 or values.shape[3] != outputs or outputs % depth(x):
        return None
    return np.moveaxis(values.reshape(-1, outputs), 0, 1)[:, :, None]


def _factors(
    op: Operator, x: Tensor, scales: tuple[float, ...], y: Tensor, outputs: int
) -> list[tuple[int, int]]:
    if op.name == "FULLY_CONNECTED" and len(scales) == 1:
        with np.errstate(all="ignore"):
            product = np.float32(scale_of(x)) * np.float32(scales[0])
        reals = [float(np.float64(product) / single(scale_of(y)))]
    else:
        reals = [float(single(scale_of(x)) * single(s) / single(scale_of(y))) for s in scales]
    return [fixed_point(real) for real in reals] * (outputs // len(scales))


def _reach(
    graph: Subgraph, op: Operator, padded: Operator | None
) -> tuple[tuple[int, int, int, int, int, int], ...] | None:
    if op.name == "FULLY_CONNECTED":
        return ((0, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1))
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    kernel = graph.tensors[op.inputs[1]].shape[1:3]
    before = ((0, 0), (0, 0))
    source = x
    if padded is not None:
        amounts = constant(graph.tensors[padded.inputs[1]])
        if amounts is None or amounts.shape != (4, 2) or amounts[[0, 3]].any():
            return None
        before = tuple((int(a), int(b)) for a, b in amounts[1:3])  # type: ignore[assignment]
        source = graph.tensors[padded.inputs[0]]
    found = []
    for axis, letter in enumerate("hw"):
        stride = int(op.options.get(f"stride_{letter}", 0))
        dilation = int(op.options.get(f"dilation_{letter}_factor", 1))
        if stride < 1 or dilation < 1 or len(x.shape) != 4 or len(y.shape) != 4:
            return None
        size, outputs = x.shape[1 + axis], y.shape[1 + axis]
        first = 0
        if int(op.options.get("padding", 0)) == 0:
            span = (kernel[axis] - 1) * dilation + 1
            first = -(max((outputs - 1) * stride + span - size, 0) // 2)
        first -= before[axis][0]
        step = dilation if kernel[axis] > 1 else 1  # which says nothing of a single place
        found.append((first, stride, step, kernel[axis], source.shape[1 + axis], outputs))
    return tuple(found)


def other_options(op: Operator) -> dict[str, Any]:
    """Options that must not change: all but those that follow from shapes or say the window."""
    free = {"new_shape"}
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        free |= {"padding", "stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"}
    return {name: value for name, value in op.options.items() if name not in free}
