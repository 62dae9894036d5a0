"""A network without decisions as a graph for the predictor.

Only shapes, types and quantisation matter to memory and work, so weights are zeros. The graph
has the operators, tensor order and names that :mod:`nas.export` gives the trained file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import Any

from nas.supernet import (
    ADD,
    CONV,
    DENSE,
    DEPTHWISE,
    INPUT,
    MEAN,
    POOL,
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
        MEAN: "MEAN",
        ADD: "ADD",
        SOFTMAX: "SOFTMAX",
    }
)
"""The operator that each kind of layer becomes."""

PROBABILITY = Quantization((1 / 256,), (-128,))
"""Quantisation that TFLM demands of softmax outputs."""
_WEIGHT_TYPES = {8: TensorType.INT8, 4: TensorType.INT4}
_MEAN_AXES = memoryview((1).to_bytes(4, "little") + (2).to_bytes(4, "little"))


def network_graph(network: Supernet) -> Graph:
    """The graph of a network.

    Raises:
        UsageError: a decision is open.
    """
    writer = _GraphWriter(network)
    for layer in network.layers:
        if layer.kind == SELECT or isinstance(layer.channels, str) or isinstance(layer.bits, str):
            raise UsageError(f"layer {layer.name!r} is not decided; take supernet.fixed(decisions)")
        writer.add(layer)
    return writer.graph()


class _GraphWriter:
    def __init__(self, network: Supernet) -> None:
        self._network = network
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._index: dict[str, int] = {}
        self._add_tensor(INPUT, (1, *network.input_shape), _activation(0))

    def graph(self) -> Graph:
        output = self._index[self._network.output]
        subgraph = Subgraph(
            0, "main", tuple(self._tensors), tuple(self._operators), (0,), (output,)
        )
        return Graph((subgraph,), description=self._network.name)

    def add(self, layer: Layer) -> None:
        inputs = [self._index[name] for name in layer.inputs]
        source = self._tensors[inputs[0]]
        quantization = source.quantization
        if layer.kind in (CONV, DEPTHWISE, DENSE):
            inputs += self._weights(layer, source)
        elif layer.kind == MEAN:
            inputs.append(self._add_constant(f"{layer.name}/axes", (2,), _MEAN_AXES))
        elif layer.kind == SOFTMAX:
            quantization = PROBABILITY
        if layer.kind not in (POOL, SOFTMAX):
            quantization = _activation(len(self._tensors))
        output = self._add_tensor(layer.name, _output_shape(layer, source.shape), quantization)
        self._operators.append(
            Operator(
                index=len(self._operators),
                name=OPERATORS[layer.kind],
                inputs=tuple(inputs),
                outputs=(output,),
                options=_options(layer.kind, layer.kernel, layer.stride, layer.activation),
            )
        )

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
        # Scales that no other tensor has, as in a trained file, where equal ones would be shared.
        position = len(self._tensors)
        scale = 1.0 / (64 + position)
        count = 1 if layer.kind == DENSE else channels
        kind = _WEIGHT_TYPES[int(layer.bits)]
        size = (prod(shape) * int(layer.bits) + 7) // 8
        filter = self._add_constant(
            f"{layer.name}/filter", shape, _zeros(size, position), kind, scale, count, axis
        )
        bias_scale = scale * source.quantization.scale
        bias = self._add_constant(
            f"{layer.name}/bias",
            (channels,),
            _zeros(4 * channels, position + 1),
            TensorType.INT32,
            bias_scale,
            count,
        )
        return filter, bias

    def _add_constant(
        self,
        name: str,
        shape: tuple[int, ...],
        data: memoryview,
        kind: TensorType = TensorType.INT32,
        scale: float = 0.0,
        scales: int = 0,
        axis: int = 0,
    ) -> int:
        quantization = Quantization((scale,) * scales, (0,) * scales, axis) if scales else None
        return self._add_tensor(name, shape, quantization, kind, data)

    def _add_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        quantization: Quantization | None,
        kind: TensorType = TensorType.INT8,
        data: memoryview | None = None,
    ) -> int:
        index = self._index[name] = len(self._tensors)
        self._tensors.append(Tensor(index, name, shape, kind, data, quantization))
        return index


def _output_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    depth = shape[-1] if layer.channels is None else int(layer.channels)
    if len(shape) == 2 or layer.kind == MEAN:
        return (1, depth)
    _, height, width, _ = shape
    return (1, -(-height // layer.stride[0]), -(-width // layer.stride[1]), depth)


@lru_cache(maxsize=1024)
def _activation(position: int) -> Quantization:
    """A quantisation that no other tensor has, as in a trained file."""
    return Quantization((1.0 / (32 + position),), (-128,))


@lru_cache(maxsize=4096)
def _zeros(size: int, position: int) -> memoryview:
    """Zero bytes, another object for each ``position``: equal objects would share a buffer."""
    return memoryview(bytes(size))


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
        MEAN: {"keep_dims": False},
        ADD: fused | {"pot_scale_int16": False},
        SOFTMAX: {"beta": 1.0},
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
        suffixes = ("", "axes") if layer.kind == MEAN else ("", "filter", "bias")
        for index, suffix in zip(op.inputs, suffixes, strict=False):
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
