"""The exact cost of a network, from the facts of its layers.

Same figures as the predictor's of the network's file, without graph and file: work and time are
sums over the layers, the arena is TFLM's own sequence of allocations, replayed with what the layers
ask for, and the file's length is the writer's, told the forms of tensors and operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from nas.layer_facts import LayerBook, LayerFacts, alone
from nas.network import network_graph
from nas.supernet import INPUT, POOL, Layer, Supernet, has_four_bit_activations
from predictor import Board, Options, Prediction
from predictor.cost.latency import features, timing
from predictor.memory.arena_2026 import AllocateTensors
from predictor.memory.flash import FlashReport, flash
from predictor.memory.greedy_planner import BufferRequest, planned_bytes
from predictor.memory.lifetimes import lifetimes
from predictor.memory.sram import SramReport, place
from predictor.model.file_forms import OperatorForm, TensorGroup, forms_bytes, tensor_group
from predictor.model.graph import Graph, Operator, Quantization, Subgraph, Tensor, TensorType
from predictor.operators.context import GraphState
from predictor.operators.sizes import align_up, runtime_bytes

QUANTITIES = ("ops", "latency_s", "model_bytes", "arena_bytes")
FLOW = "2026"
"""The generation of TFLM whose allocations are replayed."""
_STRUCTURES = 4096
_ONE_BYTE = TensorType.INT8


@dataclass(frozen=True)
class ExactCost:
    """What the predictor says of one network.

    ``latency_s``: of one inference. ``model_bytes``: of its file. ``flash_bytes``: with the code
    and what the application reserves.
    """

    ops: int
    latency_s: float
    model_bytes: int
    arena_bytes: int
    flash_bytes: int
    sram: SramReport
    fits: bool

    @classmethod
    def of(cls, prediction: Prediction) -> ExactCost:
        """That of a graph that knows the size of its file."""
        return cls(
            prediction.ops.total_ops,
            prediction.latency.seconds,
            prediction.graph.flatbuffer_bytes,
            prediction.arena.required_bytes,
            prediction.flash_total_bytes,
            prediction.sram,
            prediction.fits,
        )

    def quantities(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in QUANTITIES}


class NetworkCosts:
    """Exact costs of networks on a board."""

    def __init__(self, board: Board, options: Options | None = None) -> None:
        self._board, self._options = board, options or Options()
        self._revision = self._options.revision()
        self._costs = timing(board, self._revision).costs
        self._book = LayerBook(board, options)
        self._code: dict[frozenset[str], FlashReport] = {}

    def of(self, network: Supernet) -> ExactCost | None:
        """The cost of a network without open decisions.

        None where other allocations than those of current TFLM are asked for, or where TFLM gets a
        device model in the network's place.
        """
        if self._revision.flow != FLOW or has_four_bit_activations(network):
            return None
        parts = _Parts(network, self._book)
        if not all(facts.is_deployed for facts in parts.layers):
            return None
        board, options = self._board, self._options
        model_bytes = parts.model_bytes()
        code = self._code_of(network, parts).with_model(model_bytes)
        flash_bytes = code.total_bytes + options.reserve_flash_bytes
        arena_bytes = self._arena_bytes(parts)
        sram = place(board, arena_bytes, code.static_ram_bytes, options.reserve_ram_bytes)
        counts = features([facts.work for facts in parts.layers])
        return ExactCost(
            ops=2 * sum(facts.macs for facts in parts.layers),
            latency_s=self._costs.cycles(counts) / board.core.clock_hz,
            model_bytes=model_bytes,
            arena_bytes=arena_bytes,
            flash_bytes=flash_bytes,
            sram=sram,
            fits=sram.fits and flash_bytes <= board.flash_bytes,
        )

    def _code_of(self, network: Supernet, parts: _Parts) -> FlashReport:
        """The flash of networks with these operators."""
        names = frozenset(facts.operator.code.name for facts in parts.layers)
        found = self._code.get(names)
        if found is None:
            graph, core = network_graph(network), self._board.core.name
            found = self._code[names] = flash(graph, self._revision, core, self._options.resolver)
        return found

    def _arena_bytes(self, parts: _Parts) -> int:
        steps = AllocateTensors(self._revision)
        alignment = steps.allocator.alignment
        steps.prepare(parts.layers, [parts.tensor_count], [len(parts.layers)])
        scratch = [
            BufferRequest(align_up(size, alignment), step, step)
            for step, facts in enumerate(parts.layers, 1)
            for size in facts.scratch_bytes
        ]
        steps.describe(1, parts.tensor_count + len(scratch))
        requests = [
            BufferRequest(align_up(size, alignment), first, last)
            for size, (first, last) in zip(parts.bytes, _lives(tuple(parts.sources)), strict=True)
        ] + scratch
        height = planned_bytes(requests, steps.plan(requests))
        steps.finish(height, [parts.quantization], [parts.layers[-1].output_quantization])
        return align_up(steps.allocator.required_bytes, alignment)


class _Parts:
    """A network as lists, in the order of its file.

    ``bytes`` are those of the tensors that are computed, the input first; ``sources`` are the
    positions among them of what each layer reads.
    """

    def __init__(self, network: Supernet, book: LayerBook) -> None:
        self._name = network.name
        shape: tuple[int, ...] = (1, *network.input_shape)
        group, self.quantization, size = _input(shape, network.input_bits)
        self._groups, self._operators = [group], list[OperatorForm]()
        self.layers: list[LayerFacts] = []
        self.bytes = [size]
        self.sources: list[tuple[int, ...]] = []
        # Of each tensor by name: shape, position among all, position among those computed.
        shapes, indices, rows = {INPUT: shape}, {INPUT: 0}, {INPUT: 0}
        count = 1
        for layer in network.layers:
            names = layer.inputs
            facts = book.facts(layer, shapes[names[0]])
            output = count + facts.tensor_count - 1
            inputs = (*map(indices.__getitem__, names), *range(count, output))
            self._operators.append(OperatorForm(facts.operator, inputs, (output,)))
            self.sources.append(tuple(map(rows.__getitem__, names)))
            name = layer.name
            shapes[name], indices[name], rows[name] = facts.output_shape, output, len(self.bytes)
            self.bytes.append(facts.output_bytes)
            self.layers.append(facts)
            self._groups.append(facts.tensors)
            count = output + 1
        self.tensor_count = count

    def model_bytes(self) -> int:
        ends = (0, self.tensor_count - 1)
        return forms_bytes(self._name, self._groups, self._operators, ends)


@cache
def _input(shape: tuple[int, ...], bits: int) -> tuple[TensorGroup, Quantization, int]:
    """Form, quantisation and bytes of a network's input."""
    reader = Layer("reader", POOL, (INPUT,), output_bits=bits)
    tensor = alone(reader, shape).main.tensors[0]
    assert tensor.quantization is not None
    return tensor_group([tensor]), tensor.quantization, runtime_bytes(tensor, tensor.shape)


@lru_cache(_STRUCTURES)
def _lives(sources: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, int], ...]:
    """The first and last step at which the input and the layers' outputs live.

    ``sources``: what each layer reads, 0 for the input and k for the k-th layer's output.
    """
    tensors = tuple(Tensor(i, "", (1,), _ONE_BYTE) for i in range(len(sources) + 1))
    operators = tuple(Operator(i, "", read, (i + 1,)) for i, read in enumerate(sources))
    main = Subgraph(0, "main", tensors, operators, (0,), (len(sources),))
    found = lifetimes(Graph((main,)), GraphState(), [], None).allocations
    return tuple((item.first_use, item.last_use) for item in found)
