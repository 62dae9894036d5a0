"""Layers of a model as the kernels take them: what TFLM's Prepare computes from an operator.

Sources: tflite kernels/kernel_util.cc (PopulateConvolutionQuantizationParams,
GetQuantizedConvolutionMultipler, CalculateActivationRangeQuantized), quantization_util.cc
(QuantizeMultiplier), micro/kernels/add_common.cc.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.binding import Struct
from kernels.calls import Layer
from predictor.model.graph import Graph, Operator, Tensor, TensorType

_BITS = {TensorType.INT8: 8, TensorType.INT4: 4}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Multiplier and shift of a positive factor."""
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        return 1 << 30, exponent + 1
    return (0, 0) if exponent < -31 else (multiplier, exponent)


def _scale(tensor: Tensor) -> float:
    assert tensor.quantization is not None
    return float(np.float32(tensor.quantization.scales[0]))


def _zero_point(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    return tensor.quantization.zero_points[0]


def _activation(operator: Operator, output: Tensor) -> tuple[int, int]:
    function = operator.options.get("fused_activation_function", 0)
    scale, zero_point = np.float32(_scale(output)), _zero_point(output)

    def quantized(real: float) -> int:
        value = float(np.float32(real) / scale)
        return zero_point + math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)

    low = {1: 0.0, 2: -1.0, 3: 0.0}.get(int(function))
    high = {2: 1.0, 3: 6.0}.get(int(function))
    return (
        -128 if low is None else max(-128, quantized(low)),
        127 if high is None else min(127, quantized(high)),
    )


def _data(tensor: Tensor, dtype: str) -> np.ndarray:
    assert tensor.data is not None
    return np.frombuffer(bytes(tensor.data), dtype).copy()


def _window(operator: Operator, input: Tensor, output: Tensor, kernel: tuple[int, int]) -> dict:
    options = operator.options
    stride = (options["stride_h"], options["stride_w"])
    dilation = (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1))
    padding = tuple(
        max((output.shape[1 + a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1
            - input.shape[1 + a], 0) // 2
        for a in (0, 1)
    )  # fmt: skip
    return {"stride": stride, "dilation": dilation, "padding": padding}


def weighted_layer(graph: Graph, operator: Operator) -> Layer:
    """A CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED operator with int8 activations."""
    tensors = graph.subgraphs[0].tensors
    input, filter = (tensors[index] for index in operator.inputs[:2])
    output = tensors[operator.outputs[0]]
    bias = tensors[operator.inputs[2]] if len(operator.inputs) > 2 and operator.inputs[2] >= 0 \
        else None  # fmt: skip
    assert filter.quantization is not None
    scales = [float(np.float32(scale)) for scale in filter.quantization.scales]
    channels = output.shape[-1]
    factors = [_scale(input) * scale / _scale(output) for scale in scales]
    is_connected = operator.name == "FULLY_CONNECTED"
    if is_connected and len(scales) == 1:
        # The only place where TFLM multiplies the two scales as floats.
        product = float(np.float32(_scale(input)) * np.float32(scales[0]))
        factors = [product / _scale(output)]
    elif len(factors) == 1:
        factors = factors * channels
    pairs = [quantize_multiplier(factor) for factor in factors]
    input_dims, output_dims = tuple(input.shape), tuple(output.shape)
    filter_dims, window = tuple(filter.shape), {}
    if is_connected:
        depth = filter.shape[1]
        batches = math.prod(input.shape) // depth
        input_dims, filter_dims = (batches, 1, 1, depth), (channels, 1, 1, depth)
        output_dims = (batches, 1, 1, channels)
    else:
        window = _window(operator, input, output, filter.shape[1:3])
    return Layer(
        activations=8,
        weights=_BITS[filter.type],
        input_dims=input_dims,
        filter_dims=filter_dims,
        output_dims=output_dims,
        filter=_data(filter, "int8"),
        bias=None if bias is None else _data(bias, "int32"),
        multiplier=np.array([multiplier for multiplier, _ in pairs], np.int32),
        shift=np.array([shift for _, shift in pairs], np.int32),
        input_offset=-_zero_point(input),
        output_offset=_zero_point(output),
        activation=_activation(operator, output),
        multiplier_of_channels=operator.options.get("depth_multiplier", 1),
        per_channel=not is_connected or len(scales) > 1,
        **window,
    )


def pooling_arguments(graph: Graph, operator: Operator) -> tuple[Struct, ...]:
    """pool_params, input_dims, filter_dims, output_dims of a pooling operator."""
    tensors = graph.subgraphs[0].tensors
    input, output = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    kernel = (operator.options["filter_height"], operator.options["filter_width"])
    window = _window(operator, input, output, kernel)
    return (
        Struct((*window["stride"][::-1], *window["padding"][::-1], *_activation(operator, output))),
        Struct(tuple(input.shape)),
        Struct((1, *kernel, 1)),
        Struct(tuple(output.shape)),
    )


def add_params(graph: Graph, operator: Operator) -> Struct:
    """mn_add_params of an ADD operator."""
    tensors = graph.subgraphs[0].tensors
    first, second = (tensors[index] for index in operator.inputs)
    output = tensors[operator.outputs[0]]
    twice = 2 * max(_scale(first), _scale(second))
    pairs = [quantize_multiplier(_scale(tensor) / twice) for tensor in (first, second)]
    pairs.append(quantize_multiplier(twice / ((1 << 20) * _scale(output))))
    return Struct(
        (
            -_zero_point(first), *pairs[0], -_zero_point(second), *pairs[1],
            20, _zero_point(output), *pairs[2], *_activation(operator, output),
        )
    )  # fmt: skip


def softmax_params(input_scale: float) -> tuple[int, int, int]:
    """Multiplier, left shift and diff_min (beta 1, 5 integer bits)."""
    multiplier, shift = quantize_multiplier(min(input_scale * (1 << 26), (1 << 31) - 1.0))
    return multiplier, shift, -math.floor(31 * (1 << 26) / (1 << shift))
