"""A network without decisions as a graph for the predictor.

Only shapes, types and quantisation matter to memory and work, so weights are zeros. The graph
has the operators, tensor order and names that :mod:`nas.export.export` gives the trained file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from math import prod
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from nas.space.supernet import (
    ADD,
    CONV,
    DENSE,
    DEPTHWISE,
    INPUT,
    POOL,
    QUANTIZE,
    SELECT,
    SOFTMAX,
    Layer,
    Supernet,
)
from predictor.errors import UsageError
from predictor.model.builder.options import options_table
from predictor.model.graph import (
    Graph,
    Operator,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)

OPERATORS = MappingProxyType(
    {
        CONV: "CONV_2D",
        DEPTHWISE: "DEPTHWISE_CONV_2D",
        DENSE: "FULLY_CONNECTED",
        POOL: "AVERAGE_POOL_2D",
        ADD: "ADD",
        SOFTMAX: "SOFTMAX",
        QUANTIZE: "QUANTIZE",
    }
)
"""The operator that each kind of layer becomes."""

PROBABILITY = Quantization((1 / 256,), (-128,))
"""Quantisation that TFLM demands of softmax outputs."""
_TYPES = {8: TensorType.INT8, 4: TensorType.INT4}
_INT32 = TensorType.INT32
_ZEROS = memoryview(bytes(1 << 24))


class Parameters:
    """Quantisation and constants of a network; here placeholders that only have the right sizes.

    No two scales or constants are equal, as in a trained file, where equal ones would be shared.
    """

    def activation(self, name: str, position: int, bits: int) -> Quantization:
        """That of a tensor, which is the ``position``-th of the file."""
        return _activation(position, bits)

    def weights(
        self, layer: Layer, shape: tuple[int, ...], position: int, input_scale: float
    ) -> Weights:
        """Those of a layer; ``shape`` is the filter's in the file."""
        channels = shape[3] if layer.kind == DEPTHWISE else shape[0]
        count = 1 if layer.kind == DENSE else channels
        size = (prod(shape) * int(layer.bits) + 7) // 8
        return Weights(
            _zeros(size, position),
            _scales(position, count),
            _zeros(4 * channels, -position),
        )


def _scales(position: int, count: int) -> tuple[float, ...]:
    """A layer's scales; in a device model they are compressed, as far as they are alike."""
    random = Random(position)
    return tuple((1.0 + random.random()) / (1024 + position) for _ in range(count))


class Weights(NamedTuple):
    """Filter and bias as the file holds them, and the filter's scales: one, or one a channel."""

    filter: memoryview
    scales: tuple[float, ...]
    bias: memoryview


_PLACEHOLDERS = Parameters()


def network_graph(network: Supernet, parameters: Parameters = _PLACEHOLDERS) -> Graph:
    """The graph of a network.

    Raises:
        UsageError: a decision is open.
    """
    writer = _GraphWriter(network, parameters)
    for layer in network.layers:
        open_choices = (layer.channels, layer.bits, layer.output_bits)
        if layer.kind == SELECT or any(isinstance(choice, str) for choice in open_choices):
            raise UsageError(f"layer {layer.name!r} is not decided; take supernet.fixed(decisions)")
        writer.add(layer)
    return writer.graph()


class _GraphWriter:
    def __init__(self, network: Supernet, parameters: Parameters) -> None:
        self._network, self._parameters = network, parameters
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._index: dict[str, int] = {}
        bits = network.input_bits
        quantization = parameters.activation(INPUT, 0, bits)
        self._add_tensor(INPUT, (1, *network.input_shape), quantization, _TYPES[bits])

    def graph(self) -> Graph:
        output = self._index[self._network.output]
        subgraph = Subgraph(
            0, "main", tuple(self._tensors), tuple(self._operators), (0,), (output,)
        )
        return Graph((subgraph,), description=self._network.name)

    def add(self, layer: Layer) -> None:
        inputs = [self._index[name] for name in layer.inputs]
        source = self._tensors[inputs[0]]
        if layer.kind in (CONV, DEPTHWISE, DENSE):
            inputs += self._weights(layer, source)
        bits = int(layer.output_bits)
        output = self._add_tensor(
            layer.name,
            _output_shape(layer, source.shape),
            self._quantization(layer, source, bits),
            _TYPES[bits],
        )
        self._operators.append(
            Operator(
                index=len(self._operators),
                name=OPERATORS[layer.kind],
                inputs=tuple(inputs),
                outputs=(output,),
                options=_options(layer.kind, layer.kernel, layer.stride, layer.activation),
            )
        )

    def _quantization(self, layer: Layer, source: Tensor, bits: int) -> Quantization:
        if layer.kind == SOFTMAX:
            return PROBABILITY
        assert source.quantization is not None
        if layer.kind == POOL:
            return source.quantization
        if layer.kind == QUANTIZE and bits == 8:
            return widened(source.quantization)
        return self._parameters.activation(layer.name, len(self._tensors), bits)

    def _weights(self, layer: Layer, source: Tensor) -> tuple[int, int]:
        """Filter and bias: one scale a channel, or one for all of a dense layer."""
        assert source.quantization is not None
        depth = source.shape[-1]
        channels = depth if layer.channels is None else int(layer.channels)
        shape: tuple[int, ...] = (channels, *layer.kernel, depth)
        axis = 0
        if layer.kind == DEPTHWISE:
            shape, axis = (1, *layer.kernel, channels), 3
        elif layer.kind == DENSE:
            shape = (channels, depth)
        scale = source.quantization.scale
        found = self._parameters.weights(layer, shape, len(self._tensors), scale)
        zeros = _zero_points(len(found.scales))
        quantization = Quantization(found.scales, zeros, axis)
        kind = _TYPES[int(layer.bits)]
        filter = self._add_tensor(f"{layer.name}/filter", shape, quantization, kind, found.filter)
        bias_scales = tuple(map(scale.__mul__, found.scales))
        bias = self._add_tensor(
            f"{layer.name}/bias", (channels,), Quantization(bias_scales, zeros), _INT32, found.bias
        )
        return filter, bias

    def _add_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        quantization: Quantization | None,
        kind: TensorType,
        data: memoryview | None = None,
    ) -> int:
        index = self._index[name] = len(self._tensors)
        self._tensors.append(Tensor(index, name, shape, kind, data, quantization))
        return index


def widened(quantization: Quantization) -> Quantization:
    """The 8-bit quantisation that holds each value of a 4-bit one exactly.

    Sixteen steps of a signed grid become 256; those of a rectifier's 17 x 15 = 255.
    """
    (zero_point,) = quantization.zero_points
    if zero_point == -8:
        return Quantization((quantization.scale / 17,), (-128,))
    return Quantization((quantization.scale / 16,), (16 * zero_point,))


def _output_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    depth = shape[-1] if layer.channels is None else int(layer.channels)
    if len(shape) == 2 or layer.kind == DENSE:
        return (1, depth)
    _, height, width, _ = shape
    return (1, -(-height // layer.stride[0]), -(-width // layer.stride[1]), depth)


@lru_cache(maxsize=1024)
def _activation(position: int, bits: int) -> Quantization:
    """A quantisation that no other tensor has, in which a ReLU6 ends no earlier than the type."""
    return Quantization((1.0 / (64 + position),), (-(2 ** (bits - 1)),))


@lru_cache(maxsize=1024)
def _zero_points(count: int) -> tuple[int, ...]:
    return (0,) * count


@lru_cache(maxsize=4096)
def _zeros(size: int, position: int) -> memoryview:
    """Zero bytes, another object for each ``position``: equal objects would share a buffer."""
    return _ZEROS[:size] if size <= len(_ZEROS) else memoryview(bytes(size))


@lru_cache(maxsize=1024)
def _options(
    kind: str, kernel: tuple[int, int], stride: tuple[int, int], activation: str
) -> MappingProxyType[str, Any]:
    window = {"padding": "same", "stride_h": stride[0], "stride_w": stride[1]}
    dilation = {"dilation_h_factor": 1, "dilation_w_factor": 1}
    fused = {"fused_activation_function": activation}
    table: dict[str, Any] = {
        CONV: window | dilation | fused,
        DEPTHWISE: window | dilation | fused | {"depth_multiplier": 1},
        DENSE: fused,
        POOL: window | {"filter_height": kernel[0], "filter_width": kernel[1]} | fused,
        ADD: fused | {"pot_scale_int16": False},
        SOFTMAX: {"beta": 1.0},
        QUANTIZE: {},
    }
    return MappingProxyType(dict(options_table(OPERATORS[kind], table[kind])))


def with_names(graph: Graph, network: Supernet) -> Graph:
    """A converted graph in the form of :func:`network_graph`: its order, names and nothing else.

    Raises:
        UsageError: the converter made other operators than the network has.
    """
    main = graph.main
    expected = [OPERATORS[layer.kind] for layer in network.layers]
    found = [op.name for op in main.operators]
    if expected != found:
        raise UsageError(
            f"the converter made {' '.join(found)} of a network that has {' '.join(expected)}"
        )
    names = {main.inputs[0]: INPUT}
    for layer, op in zip(network.layers, main.operators, strict=True):
        for index, suffix in zip(op.inputs, ("", "filter", "bias"), strict=False):
            names.setdefault(index, f"{layer.name}/{suffix}")
        names[op.outputs[0]] = layer.name
    order = {old: new for new, old in enumerate(names)}
    tensors = [_renamed(main.tensors[old], order[old], name) for old, name in names.items()]
    operators = tuple(
        Operator(
            op.index,
            op.name,
            tuple(order[i] for i in op.inputs),
            tuple(order[o] for o in op.outputs),
            options=_given(op),
        )
        for op in main.operators
    )
    subgraph = Subgraph(
        0,
        "main",
        tuple(_with_bias_scales(tensors, operators)),
        operators,
        _mapped(main.inputs, order),
        _mapped(main.outputs, order),
    )
    return Graph((subgraph,), description=network.name)


def _mapped(indices: Iterable[int], order: dict[int, int]) -> tuple[int, ...]:
    return tuple(order[index] for index in indices)


def _renamed(tensor: Tensor, index: int, name: str) -> Tensor:
    return Tensor(index, name, tensor.shape, tensor.type, tensor.data, tensor.quantization)


def _with_bias_scales(tensors: list[Tensor], operators: Iterable[Operator]) -> list[Tensor]:
    """Gives biases data, and the scales that kernels demand: input scale times filter scale.

    The converter leaves out the data of biases that are all zero, and gives them another type
    and other scales.
    """
    for op in operators:
        if len(op.inputs) != 3:
            continue
        source, filter, bias = (tensors[index] for index in op.inputs)
        if source.quantization and filter.quantization and not any(bias.data or b""):
            scales = tuple(source.quantization.scale * s for s in filter.quantization.scales)
            products = Quantization(scales, (0,) * len(scales))
            zeros = memoryview(bytes(4 * bias.elements))
            tensors[bias.index] = replace(
                bias, type=TensorType.INT32, data=zeros, quantization=products
            )
    return tensors


def _given(op: Operator) -> MappingProxyType[str, Any]:
    """The options that :func:`network_graph` writes; the converter spells out the defaults."""
    kind = next(kind for kind, name in OPERATORS.items() if name == op.name)
    fields = _options(kind, (1, 1), (1, 1), "none")
    return MappingProxyType({key: op.options[key] for key in fields if key in op.options})
