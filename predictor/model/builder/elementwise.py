"""Layers that work element by element, and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np

from predictor.errors import UsageError
from predictor.model.builder.core import SubgraphCore, located
from predictor.model.builder.tensors import TensorRef, Type, range_quantization, tensor_type
from predictor.model.builder.weights import activation_range, activation_spread
from predictor.model.graph import Quantization, TensorType

# Outputs of these functions have fixed scales, on which the integer kernels insist.
_UNIT_INTERVAL: Mapping[TensorType, Quantization] = MappingProxyType(
    {
        TensorType.INT8: Quantization((1 / 256,), (-128,)),
        TensorType.INT16: Quantization((1 / 32768,), (0,)),
    }
)
_SYMMETRIC_INTERVAL: Mapping[TensorType, Quantization] = MappingProxyType(
    {
        TensorType.INT8: Quantization((1 / 128,), (0,)),
        TensorType.INT16: Quantization((1 / 32768,), (0,)),
    }
)


class ElementwiseLayers(SubgraphCore):
    """Each layer returns its output and raises a UsageError where its inputs do not fit.

    Common arguments: ``quantization`` replaces the output's; ``name`` names the output.
    """

    @located
    def add(
        self,
        a: TensorRef,
        b: TensorRef,
        *,
        activation: str = "none",
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """ADD, with broadcasting."""
        spread = hypot(a.spread, b.spread)
        return self._binary("ADD", a, b, spread, activation, quantization, name)

    @located
    def sub(
        self,
        a: TensorRef,
        b: TensorRef,
        *,
        activation: str = "none",
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """SUB, with broadcasting."""
        spread = hypot(a.spread, b.spread)
        return self._binary("SUB", a, b, spread, activation, quantization, name)

    @located
    def mul(
        self,
        a: TensorRef,
        b: TensorRef,
        *,
        activation: str = "none",
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """MUL, with broadcasting."""
        spread = a.spread * b.spread
        return self._binary("MUL", a, b, spread, activation, quantization, name)

    @located
    def maximum(self, a: TensorRef, b: TensorRef, *, name: str | None = None) -> TensorRef:
        """MAXIMUM of two tensors of equal quantisation."""
        return self._select("MAXIMUM", a, b, name)

    @located
    def minimum(self, a: TensorRef, b: TensorRef, *, name: str | None = None) -> TensorRef:
        """MINIMUM of two tensors of equal quantisation."""
        return self._select("MINIMUM", a, b, name)

    @located
    def relu(
        self,
        x: TensorRef,
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """RELU."""
        quantization = quantization or range_quantization(x.type, 0.0, 4.0 * x.spread)
        return self._unary("RELU", x, quantization, x.spread * sqrt(0.5), None, name)

    @located
    def relu6(self, x: TensorRef, *, name: str | None = None) -> TensorRef:
        """RELU6. TFLM's kernel does not rescale: the output keeps the input's quantisation."""
        return self._unary("RELU6", x, x.quantization, x.spread * sqrt(0.5), None, name)

    @located
    def leaky_relu(
        self,
        x: TensorRef,
        *,
        alpha: float = 0.1,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """LEAKY_RELU with the slope ``alpha`` for negative values."""
        low, high = -4.0 * x.spread * abs(alpha), 4.0 * x.spread
        quantization = quantization or range_quantization(x.type, low, high)
        spread = x.spread * sqrt((1 + alpha * alpha) / 2)
        return self._unary("LEAKY_RELU", x, quantization, spread, {"alpha": alpha}, name)

    @located
    def hard_swish(
        self,
        x: TensorRef,
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """HARD_SWISH: x * relu6(x + 3) / 6."""
        quantization = quantization or range_quantization(x.type, -0.375, 4.0 * x.spread)
        return self._unary("HARD_SWISH", x, quantization, x.spread * sqrt(0.5), {}, name)

    @located
    def logistic(self, x: TensorRef, *, name: str | None = None) -> TensorRef:
        """LOGISTIC, with the fixed output scale of its integer kernels."""
        return self._unary("LOGISTIC", x, _UNIT_INTERVAL.get(x.type), 0.5, None, name)

    @located
    def tanh(self, x: TensorRef, *, name: str | None = None) -> TensorRef:
        """TANH, with the fixed output scale of its integer kernels."""
        return self._unary("TANH", x, _SYMMETRIC_INTERVAL.get(x.type), 0.5, None, name)

    @located
    def softmax(self, x: TensorRef, *, beta: float = 1.0, name: str | None = None) -> TensorRef:
        """SOFTMAX over the last axis; probabilities of int4 inputs are int8."""
        kind = TensorType.INT8 if x.type == TensorType.INT4 else x.type
        label = name or self.next_label("softmax")
        spec = (x.shape, kind, _UNIT_INTERVAL.get(kind))
        return self._add_layer(label, "SOFTMAX", [x], spec, {"beta": beta}, spread=0.25)

    @located
    def quantize(
        self,
        x: TensorRef,
        type: Type = "int8",
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """QUANTIZE: floats to integers, or integers to others of another scale."""
        kind = tensor_type(type)
        reach = 4.0 * x.spread
        quantization = quantization or range_quantization(kind, -reach, reach)
        if quantization is None:
            raise UsageError(
                f"{kind.name.lower()} is not quantised; use int4, int8, uint8 or int16"
            )
        label = name or self.next_label("quantize")
        spec = (x.shape, kind, quantization)
        return self._add_layer(label, "QUANTIZE", [x], spec, {}, spread=x.spread)

    @located
    def dequantize(self, x: TensorRef, *, name: str | None = None) -> TensorRef:
        """DEQUANTIZE: integers to float32."""
        if x.quantization is None:
            raise UsageError(f"tensor {x.name!r} is not quantised")
        label = name or self.next_label("dequantize")
        spec = (x.shape, TensorType.FLOAT32, None)
        return self._add_layer(label, "DEQUANTIZE", [x], spec, {}, spread=x.spread)

    def _unary(
        self,
        operator: str,
        x: TensorRef,
        quantization: Quantization | None,
        spread: float,
        options: Mapping[str, Any] | None,
        name: str | None,
    ) -> TensorRef:
        label = name or self.next_label(operator.lower())
        spec = (x.shape, x.type, quantization)
        return self._add_layer(label, operator, [x], spec, options, spread=spread)

    def _binary(
        self,
        operator: str,
        a: TensorRef,
        b: TensorRef,
        spread: float,
        activation: str,
        quantization: Quantization | None,
        name: str | None,
    ) -> TensorRef:
        label = name or self.next_label(operator.lower())
        quantization = quantization or range_quantization(
            a.type, *activation_range(activation, spread)
        )
        options: dict[str, object] = {"fused_activation_function": activation}
        if operator in ("ADD", "SUB"):
            # As for all models with int8 weights: int16 scales are no powers of two.
            options["pot_scale_int16"] = False
        return self._add_layer(
            label,
            operator,
            [a, b],
            (_broadcast(a, b), a.type, quantization),
            options,
            spread=activation_spread(activation, spread),
        )

    def _select(self, operator: str, a: TensorRef, b: TensorRef, name: str | None) -> TensorRef:
        label = name or self.next_label(operator.lower())
        need_equal_quantization([a, b])
        spec = (_broadcast(a, b), a.type, a.quantization)
        return self._add_layer(label, operator, [a, b], spec, {}, spread=max(a.spread, b.spread))


def need_equal_quantization(tensors: list[TensorRef]) -> None:
    """Checks what operators demand that pass integers on unscaled.

    Raises:
        UsageError: types or quantisations differ.
    """
    first = tensors[0]
    for other in tensors[1:]:
        if other.type != first.type or other.quantization != first.quantization:
            raise UsageError(
                f"tensors {first.name!r} and {other.name!r} differ in type or quantisation; "
                "bring one to the other with quantize(x, quantization=other.quantization)"
            )


def _broadcast(a: TensorRef, b: TensorRef) -> tuple[int, ...]:
    if a.type != b.type:
        raise UsageError(f"its inputs are {a.type.name.lower()} and {b.type.name.lower()}")
    try:
        return np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise UsageError(
            f"shapes {list(a.shape)} and {list(b.shape)} cannot be broadcast to each other"
        ) from None
