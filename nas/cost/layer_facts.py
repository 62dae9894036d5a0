"""What a layer brings into a network: the facts that all figures of the network hang on.

They come from the predictor's own operators, which prepare each distinct layer once, alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from nas.space.network import network_graph
from nas.space.supernet import DENSE, INPUT, QUANTIZE, Layer, Supernet
from predictor.cost.instructions import Work, work
from predictor.cost.op_count import layers
from predictor.memory.deployment import deploy
from predictor.memory.preparation import prepare
from predictor.memory.revision import Revision
from predictor.model.file_forms import OperatorPart, TensorGroup, operator_part, tensor_group
from predictor.model.graph import Graph, Quantization
from predictor.operators.context import PERSISTENT, Request
from predictor.operators.sizes import runtime_bytes


class LayerFacts(NamedTuple):
    """A layer of a network.

    ``tensors`` are its constants and, last, its output, whose figures follow; the requests are
    those of :class:`~predictor.memory.arena_2026.NodeRequests`. ``is_deployed`` says that TFLM
    gets the operator as it is, and not another that a device model has in its place.
    """

    operator: OperatorPart
    tensors: TensorGroup
    tensor_count: int
    output_shape: tuple[int, ...]
    output_quantization: Quantization
    output_bytes: int
    macs: int
    work: Work
    params: str | None
    init_requests: tuple[Request, ...]
    prepare_requests: tuple[Request, ...]
    scratch_bytes: tuple[int, ...]
    is_deployed: bool


def layer_facts(layer: Layer, shape: tuple[int, ...], revision: Revision) -> LayerFacts:
    """The facts of a plain layer that reads a tensor of this shape."""
    graph = alone(layer, shape)
    prepared = prepare(graph, revision)
    node, rows, tensors = prepared.nodes[-1], layers(prepared), graph.main.tensors
    op = node.context.op
    output = tensors[op.outputs[0]]
    own = [*(tensors[index] for index in op.inputs if tensors[index].is_constant), output]
    assert output.quantization is not None
    return LayerFacts(
        operator=operator_part(op),
        tensors=tensor_group(own, tensors[op.inputs[0]].quantization),
        tensor_count=len(own),
        output_shape=output.shape,
        output_quantization=output.quantization,
        output_bytes=runtime_bytes(output, output.shape),
        macs=rows[-1].macs,
        work=work(prepared, rows)[-1],
        params=node.params,
        init_requests=merged(node.init_requests),
        prepare_requests=merged(node.prepare_requests),
        scratch_bytes=tuple(node.scratch_bytes),
        is_deployed=deploy(graph, None, revision).graph is graph,
    )


def plain(layer: Layer, channels: int | None = None, bits: int = 8, output_bits: int = 8) -> Layer:
    """The layer without its place in a network; a name of equal length takes equal bytes."""
    return Layer(
        name="a" * len(layer.name),
        kind=layer.kind,
        inputs=(INPUT,) * len(layer.inputs),
        channels=channels,
        kernel=layer.kernel,
        stride=layer.stride,
        activation=layer.activation,
        bits=bits,
        output_bits=output_bits,
    )


def alone(layer: Layer, shape: tuple[int, ...]) -> Graph:
    """The graph of a plain layer that reads a tensor of this shape (batch, ..., channels)."""
    bits = int(layer.output_bits)
    if layer.kind == QUANTIZE:
        bits = 12 - bits  # it reads 8 and writes 4, or the reverse
    network: tuple[Layer, ...] = (layer,)
    if len(shape) == 2:
        # Only a dense layer makes such a tensor.
        source = Layer("source", DENSE, (INPUT,), channels=shape[1])
        network = (source, replace(layer, inputs=(source.name,) * len(layer.inputs)))
        shape = (1, 1, 1, shape[1])
    _, height, width, channels = shape
    return network_graph(Supernet("layer", (height, width, channels), network, input_bits=bits))


def merged(requests: Sequence[Request]) -> tuple[Request, ...]:
    """Fewer requests with the same effect: those for temporary memory that follow one another."""
    found: list[Request] = []
    for request in requests:
        memory, size, alignment = request
        if found and memory != PERSISTENT:
            before, size_before, alignment_before = found[-1]
            # What starts aligned for the first needs the same padding wherever it stands.
            if before == memory and alignment_before >= alignment:
                start = -(-size_before // alignment) * alignment
                found[-1] = (memory, start + size, alignment_before)
                continue
        found.append(request)
    return tuple(found)
