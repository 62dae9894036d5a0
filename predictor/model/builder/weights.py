"""Random weights and biases, scaled so that outputs keep to the range of their type."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.errors import UsageError
from predictor.model.builder.core import SubgraphCore
from predictor.model.builder.tensors import (
    TensorRef,
    Type,
    range_quantization,
    single_precision,
    tensor_type,
)
from predictor.model.graph import Quantization, TensorType

WEIGHT_TYPES: Mapping[TensorType, tuple[TensorType, ...]] = MappingProxyType(
    {
        TensorType.FLOAT32: (TensorType.FLOAT32,),
        TensorType.INT8: (TensorType.INT8, TensorType.INT4),
        TensorType.INT16: (TensorType.INT8, TensorType.INT4),
        TensorType.INT4: (TensorType.INT4, TensorType.INT8),
    }
)
"""Weight types that go with each type of activations; the first is the default."""

_WEIGHT_MAXIMUM = {TensorType.INT8: 127, TensorType.INT4: 7}
_BIAS_TYPES = {
    TensorType.FLOAT32: TensorType.FLOAT32,
    TensorType.INT8: TensorType.INT32,
    TensorType.INT4: TensorType.INT32,
    TensorType.INT16: TensorType.INT64,
}
_BIAS_RANGE = 0.25

# Real values within which an activation function keeps inputs of unit spread. Four times the
# spread leaves almost nothing to saturate.
_ACTIVATION_RANGES = {
    "none": (-4.0, 4.0),
    "relu": (0.0, 4.0),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
    "tanh": (-1.0, 1.0),
    "sign_bit": (-1.0, 1.0),
}


def activation_range(activation: str, spread: float) -> tuple[float, float]:
    """Real values to expect after a fused activation function, for inputs of this spread."""
    low, high = _ACTIVATION_RANGES.get(activation.lower(), _ACTIVATION_RANGES["none"])
    if activation.lower() in ("none", "relu"):
        return low * spread, high * spread
    return low, high


def activation_spread(activation: str, spread: float) -> float:
    """Root mean square after a fused activation function."""
    return spread if activation.lower() == "none" else min(1.0, spread * sqrt(0.5))


class WeightedLayers(SubgraphCore):
    """Filters and biases of convolutions and fully connected layers."""

    def _output_quantization(
        self, type: TensorType, activation: str, spread: float
    ) -> Quantization | None:
        return range_quantization(type, *activation_range(activation, spread))

    def _weights(
        self,
        label: str,
        x: TensorRef,
        shape: tuple[int, ...],
        fan_in: float,
        weights: Type | None,
        channel_axis: int | None,
    ) -> TensorRef:
        """A random filter of which outputs get unit spread.

        ``channel_axis`` is the dimension along which scales differ, None for one scale.
        """
        if x.type not in WEIGHT_TYPES:
            raise UsageError(f"activations of type {x.type.name.lower()} have no weighted layers")
        allowed = WEIGHT_TYPES[x.type]
        kind = allowed[0] if weights is None else tensor_type(weights)
        if kind not in allowed:
            names = " or ".join(t.name.lower() for t in allowed)
            raise UsageError(
                f"{kind.name.lower()} weights do not go with {x.type.name.lower()} activations; "
                f"use {names}",
            )
        deviation = 1.0 / (sqrt(fan_in) * x.spread)
        name = f"{label}/filter"
        if kind == TensorType.FLOAT32:
            values = self._rng.uniform(-1.0, 1.0, shape) * (deviation * sqrt(3))
            return self.constant(values.astype(np.float32), kind, name=name)
        maximum = _WEIGHT_MAXIMUM[kind]
        integers = self._rng.integers(-maximum, maximum + 1, shape, dtype=np.int8)
        # Uniform integers up to m have the root mean square sqrt(m (m + 1) / 3).
        scale = deviation / sqrt(maximum * (maximum + 1) / 3)
        channels = 1 if channel_axis is None else shape[channel_axis]
        scales = scale * self._rng.uniform(0.75, 1.25, channels)
        quantization = Quantization(
            tuple(single_precision(value) for value in scales), (0,) * channels, channel_axis or 0
        )
        return self.constant(integers, kind, quantization=quantization, name=name)

    def _bias(self, label: str, x: TensorRef, filter: TensorRef, channels: int) -> TensorRef:
        """A random bias, with the scales that kernels demand: input scale times filter scale."""
        kind = _BIAS_TYPES[x.type]
        name = f"{label}/bias"
        real: npt.NDArray[Any] = self._rng.uniform(-_BIAS_RANGE, _BIAS_RANGE, channels)
        if x.quantization is None or filter.quantization is None:
            return self.constant(real.astype(np.float32), kind, name=name)
        products = [x.quantization.scale * scale for scale in filter.quantization.scales]
        quantization = Quantization(
            tuple(single_precision(value) for value in products), (0,) * len(products)
        )
        integers = np.rint(real / np.array(products)).astype(np.int64)
        return self.constant(integers, kind, quantization=quantization, name=name)
