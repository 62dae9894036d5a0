"""Supernets: layers, decision nodes, and what is left when all decisions are made.

A supernet is data. :mod:`nas.training.model` makes it trainable, :mod:`nas.cost.cost_model` says
what it is expected to take, :mod:`nas.space.network` turns one without decisions into a graph for
the predictor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from nas.space.decision_nodes import BitwidthChoice, DecisionNode, Decisions, WidthChoice
from predictor.errors import UsageError

INPUT = "input"
"""Name of the tensor that the network reads."""
CONV, DEPTHWISE, DENSE = "conv_2d", "depthwise_conv_2d", "fully_connected"
POOL, ADD, SOFTMAX = "average_pool_2d", "add", "softmax"
QUANTIZE, SELECT = "quantize", "select"
KINDS = (CONV, DEPTHWISE, DENSE, POOL, ADD, SOFTMAX, QUANTIZE, SELECT)
WEIGHTED = (CONV, DEPTHWISE, DENSE)
Pair = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """One layer; the tensor it writes has its name.

    ``channels``, ``bits`` (of weights) and ``output_bits`` are numbers, or names of the decision
    nodes that set them; layers that keep the width of their input have no channels. Kernels write
    as many bits as they read; ``quantize`` layers alone read 8 and write 4 or the reverse.
    ``when`` lists the (node, option index) pairs under which the layer exists. A ``select``
    passes on its k-th input where its ``decision`` takes option k.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    channels: int | str | None = None
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    activation: str = "none"
    bits: int | str = 8
    output_bits: int | str = 8
    when: tuple[tuple[str, int], ...] = ()
    decision: str | None = None


@dataclass(frozen=True)
class Supernet:
    """Layers in the order they run. ``input_shape`` is (height, width, channels).

    ``input_bits`` is 8 but for the parts that costs are asked for. ``nodes`` maps names to decision
    nodes; a supernet without nodes is one network.
    """

    name: str
    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    nodes: Mapping[str, DecisionNode] = field(default_factory=lambda: MappingProxyType({}))
    input_bits: int = 8

    @property
    def output(self) -> str:
        return self.layers[-1].name

    def sizes(self) -> dict[str, Pair]:
        """Height and width of each tensor; (1, 1) once the image is averaged."""
        found: dict[str, Pair] = {INPUT: self.input_shape[:2]}
        for layer in self.layers:
            height, width = found[layer.inputs[0]]
            if layer.kind in (DENSE, SOFTMAX):
                found[layer.name] = (1, 1)
            else:
                found[layer.name] = (-(-height // layer.stride[0]), -(-width // layer.stride[1]))
        return found

    def max_channels(self) -> dict[str, int]:
        """The largest width of each tensor."""
        found = {INPUT: self.input_shape[2]}
        for layer in self.layers:
            if isinstance(layer.channels, str):
                found[layer.name] = self._width(layer.channels).options[-1]
            elif layer.channels is not None:
                found[layer.name] = layer.channels
            else:
                found[layer.name] = max(found[name] for name in layer.inputs)
        return found

    def fixed(self, decisions: Decisions) -> Supernet:
        """The network that these decisions choose.

        Raises:
            UsageError: a node is not decided, or its option does not exist.
        """
        for name, node in self.nodes.items():
            if not 0 <= decisions.get(name, -1) < len(node):
                raise UsageError(f"decision {name!r} is missing or has no such option")
        layers = [self._decided(layer, decisions) for layer in self.structure(decisions)]
        return Supernet(self.name, self.input_shape, tuple(layers))

    def structure(self, decisions: Decisions) -> tuple[Layer, ...]:
        """The layers that exist, with inputs that exist; their widths and bits stay open."""
        alias = {INPUT: INPUT}
        layers = []
        for layer in self.layers:
            if any(decisions[node] != option for node, option in layer.when):
                continue
            inputs = tuple(alias.get(name, name) for name in layer.inputs)
            if layer.kind == SELECT:
                alias[layer.name] = inputs[decisions[str(layer.decision)]]
                continue
            alias[layer.name] = layer.name
            layers.append(replace(layer, inputs=inputs, when=()))
        return tuple(layers)

    def structural_nodes(self) -> tuple[str, ...]:
        """Nodes that :meth:`structure` hangs on."""
        found = {node for layer in self.layers for node, _ in layer.when}
        found |= {layer.decision for layer in self.layers if layer.decision is not None}
        return tuple(name for name in self.nodes if name in found)

    def active_nodes(self, decisions: Decisions) -> set[str]:
        """Nodes that the network of these decisions hangs on: the width of a skipped block is none.

        Nodes that switch layers on and off always count.
        """
        found: set[str] = set()
        for layer in self.layers:
            found.update(node for node, _ in layer.when)
            if layer.decision is not None:
                found.add(layer.decision)
            if all(decisions[node] == option for node, option in layer.when):
                named = (layer.channels, layer.bits, layer.output_bits)
                found.update(name for name in named if isinstance(name, str))
        return found

    def widest(self) -> dict[str, int]:
        """Decisions for the largest network: all blocks, all channels, first operators."""
        return {
            name: len(node) - 1 if isinstance(node, WidthChoice) else 0
            for name, node in self.nodes.items()
        }

    def _decided(self, layer: Layer, decisions: Decisions) -> Layer:
        channels, bits, output_bits = layer.channels, layer.bits, layer.output_bits
        if isinstance(channels, str):
            channels = self._width(channels).options[decisions[channels]]
        if isinstance(bits, str):
            bits = self.bit_options(bits)[decisions[bits]]
        if isinstance(output_bits, str):
            output_bits = self.bit_options(output_bits)[decisions[output_bits]]
        return replace(layer, channels=channels, bits=bits, output_bits=output_bits)

    def bit_options(self, bits: int | str) -> tuple[int, ...]:
        """Bit widths that a layer's ``bits`` or ``output_bits`` may take."""
        if isinstance(bits, int):
            return (bits,)
        node = self.nodes[bits]
        assert isinstance(node, BitwidthChoice)
        return node.options

    def _width(self, name: str) -> WidthChoice:
        node = self.nodes[name]
        assert isinstance(node, WidthChoice)
        return node


def has_four_bit_activations(supernet: Supernet) -> bool:
    """Whether any of its networks has them."""
    return any(4 in supernet.bit_options(layer.output_bits) for layer in supernet.layers)


class SupernetBuilder:
    """Collects layers and nodes and checks them; each method returns its tensor's name."""

    def __init__(self, name: str, input_shape: tuple[int, int, int]) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise UsageError(f"input shape {list(input_shape)} is not (height, width, channels)")
        self._name, self._input_shape = name, input_shape
        self._layers: list[Layer] = []
        self._nodes: dict[str, DecisionNode] = {}
        self._when: tuple[tuple[str, int], ...] = ()

    def node(self, node: DecisionNode) -> str:
        """Adds a decision node.

        Raises:
            UsageError: another one has its name.
        """
        if self._nodes.setdefault(node.name, node) != node:
            raise UsageError(f"two decision nodes are called {node.name!r}")
        return node.name

    def layer(
        self,
        name: str,
        kind: str,
        *inputs: str,
        channels: int | str | None = None,
        kernel: Pair = (1, 1),
        stride: Pair = (1, 1),
        activation: str = "none",
        bits: int | str = 8,
        output_bits: int | str = 8,
    ) -> str:
        """Adds a layer.

        Raises:
            UsageError: unknown kind, node or input, or a name that is taken.
        """
        if kind not in KINDS or kind == SELECT:
            raise UsageError(f"layer {name!r} is of unknown kind {kind!r}; it has no known cost")
        for node in (channels, bits, output_bits):
            if isinstance(node, str) and node not in self._nodes:
                raise UsageError(f"layer {name!r} names the unknown decision node {node!r}")
        return self._add(
            Layer(
                name,
                kind,
                inputs,
                channels,
                kernel,
                stride,
                activation,
                bits,
                output_bits,
                self._when,
            )
        )

    def enter(self, node: str, option: int) -> None:
        """Layers added from here on exist only under this option."""
        self._when = (*self._when, (node, option))

    def leave(self) -> None:
        self._when = self._when[:-1]

    def select(self, name: str, node: str, *inputs: str) -> str:
        """Joins the branches of a node; its k-th input belongs to option k.

        Raises:
            UsageError: the branches differ in size or number.
        """
        self._add(Layer(name, SELECT, inputs, when=self._when, decision=node))
        supernet = self.supernet()
        sizes, channels = supernet.sizes(), supernet.max_channels()
        if len({(sizes[i], channels[i]) for i in inputs}) > 1 or len(inputs) != len(
            self._nodes[node]
        ):
            raise UsageError(f"the branches of {node!r} differ in number, size or largest width")
        return name

    def average(self, name: str, x: str) -> str:
        """Adds the average over the whole image."""
        size = self.supernet().sizes()[x]
        return self.layer(name, POOL, x, kernel=size, stride=size)

    def supernet(self) -> Supernet:
        return Supernet(
            self._name, self._input_shape, tuple(self._layers), MappingProxyType(dict(self._nodes))
        )

    def _add(self, layer: Layer) -> str:
        known = {INPUT, *(other.name for other in self._layers)}
        if layer.name in known:
            raise UsageError(f"two layers are called {layer.name!r}")
        missing = [name for name in layer.inputs if name not in known]
        if missing or not layer.inputs:
            raise UsageError(f"layer {layer.name!r} reads {missing or 'nothing'}; no such tensor")
        self._layers.append(layer)
        return layer.name
