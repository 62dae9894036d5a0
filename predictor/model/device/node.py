"""A builtin operator as the project's kernels see it: tensors, types, quantisation, windows."""

from __future__ import annotations

from math import isfinite
from typing import NoReturn

from predictor.errors import RefusedError
from predictor.model.device.options import Dims, Pair
from predictor.model.geometry import padding_of
from predictor.model.graph import Operator, Quantization, Subgraph, Tensor, TensorType
from predictor.model.requantization import (
    Range,
    activation_range,
    quantize_multiplier,
    type_range,
)

BITS = {TensorType.INT8: 8, TensorType.INT4: 4}
_MAX_SHIFT = 30
_MAX_STEP = 65535


class LayerNode:
    """One operator with its tensors; refuses in the words of TFLM's predictor."""

    def __init__(self, subgraph: Subgraph, op: Operator, tables: str) -> None:
        self.subgraph = subgraph
        self.op = op
        self.tables = tables

    def refuse(self, reason: str) -> NoReturn:
        raise RefusedError(reason, self.op.label, self.op.index, self.subgraph.index)

    def ensure(self, condition: bool, reason: str) -> None:
        if not condition:
            self.refuse(reason)

    def optional(self, position: int) -> Tensor | None:
        inputs = self.op.inputs
        if position < len(inputs) and inputs[position] >= 0:
            return self.subgraph.tensors[inputs[position]]
        return None

    def input(self, position: int) -> Tensor:
        tensor = self.optional(position)
        if tensor is None:
            self.refuse(f"input {position} is missing")
        return tensor

    def output(self) -> Tensor:
        self.ensure(len(self.op.outputs) == 1, f"it has {len(self.op.outputs)} outputs, not 1")
        return self.subgraph.tensors[self.op.outputs[0]]

    def bits(self, tensor: Tensor) -> int:
        bits = BITS.get(tensor.type)
        if bits is None:
            self.refuse(
                f"tensor {tensor.name!r} is {tensor.type.name}; these kernels take INT8 and INT4"
            )
        return bits

    def same_bits(self, first: Tensor, second: Tensor) -> int:
        bits = self.bits(first)
        self.ensure(
            bits == self.bits(second),
            f"tensors {first.name!r} and {second.name!r} must have one type",
        )
        return bits

    def quantization(self, tensor: Tensor) -> Quantization:
        quantization = tensor.quantization
        if quantization is None:
            self.refuse(f"tensor {tensor.name!r} has no quantisation parameters")
        self.ensure(
            all(isfinite(scale) and scale > 0 for scale in quantization.scales),
            f"tensor {tensor.name!r} has a scale that is not positive",
        )
        return quantization

    def activations(self, tensor: Tensor) -> Quantization:
        """Quantisation of an activation, whose zero point its type must hold."""
        quantization = self.quantization(tensor)
        low, high = type_range(self.bits(tensor))
        point = quantization.zero_point
        self.ensure(low <= point <= high, f"tensor {tensor.name!r} has the zero point {point}")
        return quantization

    def dims(self, tensor: Tensor) -> Dims:
        self.ensure(
            len(tensor.shape) == 4 and min(tensor.shape) > 0,
            f"tensor {tensor.name!r} has the shape {list(tensor.shape)}; it needs 4 dimensions",
        )
        n, h, w, c = tensor.shape
        return n, h, w, c

    def option(self, table: str, name: str, default: int = 0) -> int:
        return int(self.op.options_in(table).get(name, default))

    def fused_activation(self, table: str, output: Tensor) -> Range:
        function = self.option(table, "fused_activation_function")
        bounds = self.bounds(function, output)
        self.ensure(bounds[0] <= bounds[1], "the output cannot hold its fused activation's values")
        return bounds

    def bounds(self, function: int, output: Tensor) -> Range:
        """Quantised bounds of an activation function."""
        quantization = self.activations(output)
        try:
            return activation_range(function, quantization, self.bits(output))
        except OverflowError:
            self.refuse(f"the scale {quantization.scale:g} of the output is too small")

    def multiplier(self, factor: float) -> tuple[int, int]:
        fits = factor < 2.0**_MAX_SHIFT
        self.ensure(fits, f"the factor {factor:g} from input to output scale is too large")
        multiplier, shift = quantize_multiplier(factor)
        self.ensure(shift <= _MAX_SHIFT, f"the factor {factor:g} rounds up beyond the largest one")
        return multiplier, shift

    def window(
        self, table: str, sizes: Pair, kernel: Pair, is_dilated: bool
    ) -> tuple[Pair, Pair, Pair]:
        """Stride, padding and dilation, each (h, w)."""
        stride = self.option(table, "stride_h"), self.option(table, "stride_w")
        dilation = (1, 1)
        if is_dilated:
            dilation = (
                self.option(table, "dilation_h_factor", 1),
                self.option(table, "dilation_w_factor", 1),
            )
        found = padding_of(self.op.options_in(table), sizes, kernel, dilation)
        padding = found.height, found.width
        steps = (*stride, *dilation)
        self.ensure(
            min(steps) >= 1 and max(*steps, *padding) <= _MAX_STEP,
            f"stride {list(stride)}, padding {list(padding)} or dilation {list(dilation)} is out "
            f"of range",
        )
        return stride, padding, dilation
