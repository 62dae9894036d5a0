"""The integers and scales of a trained network, as its file holds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.space.network import Parameters, Weights
from nas.space.supernet import DENSE, DEPTHWISE, Layer
from nas.training.model import BATCH_NORM_EPSILON, SupernetModel, WeightedLayer
from nas.training.quantizers import activation_limits, learnt_range, weight_limit
from predictor.model.device.packing import pack
from predictor.model.graph import Quantization

SMALLEST_WEIGHT_STEP = 1e-6
"""Dead channels get this step, so that their biases still fit 32 bits."""
_INT32 = np.iinfo(np.int32)


class TrainedParameters(Parameters):
    """Those of a model without open decisions."""

    def __init__(self, model: SupernetModel) -> None:
        self._model = model
        self._activations = {layer.name: layer.activation for layer in model.supernet.layers}

    def activation(self, name: str, position: int, bits: int) -> Quantization:
        top = float(learnt_range(self._model.tops[name, bits]))
        low, high = activation_limits(self._activations.get(name, "none"), bits)
        zero_point = 0 if low else -(2 ** (bits - 1))
        return Quantization((top / high,), (zero_point,))

    def weights(
        self, layer: Layer, shape: tuple[int, ...], position: int, input_scale: float
    ) -> Weights:
        kernel, bias, step = folded(self._model.weighted[layer.name])
        bits = int(layer.bits)
        limit = weight_limit(bits)
        values = np.clip(np.rint(kernel / step), -limit, limit).astype(np.int8)
        if layer.kind == DENSE:
            values = values.T
        elif layer.kind != DEPTHWISE:
            values = values.transpose(3, 0, 1, 2)
        biases = np.rint(bias / (np.float64(input_scale) * step))
        biases = np.clip(biases, _INT32.min, _INT32.max).astype("<i4")
        scales = tuple(float(value) for value in np.atleast_1d(np.float32(step)))
        return Weights(
            memoryview(pack(values, bits).tobytes()), scales, memoryview(biases.tobytes())
        )


def folded(layer: WeightedLayer) -> tuple[Any, Any, Any]:
    """Kernel on its grid, bias and quantisation step, with batch normalisation folded in."""
    (bits,) = layer.bit_options
    kernel = layer.quantized_kernel().numpy()
    step = np.maximum(learnt_range(layer.steps[bits]).numpy(), SMALLEST_WEIGHT_STEP)
    if layer.layer.kind == DENSE:
        return kernel, layer.bias.numpy(), step
    norm = layer.normalization
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    factor = norm.gamma.numpy() / np.sqrt(variance + BATCH_NORM_EPSILON)
    bias = norm.beta.numpy() - mean * factor
    return kernel * factor, bias, np.maximum(step * np.abs(factor), SMALLEST_WEIGHT_STEP)
