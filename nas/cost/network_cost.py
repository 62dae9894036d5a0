"""The exact cost of a network, from the facts of its layers.

Same figures as the predictor's of the network's file, without graph and file: work and time are
sums over the layers, the arena is TFLM's own sequence of allocations, replayed with what the layers
ask for, and the file's length is the writer's, told the forms of tensors and operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from nas.cost.layer_facts import LayerFacts, alone, layer_facts, plain
from nas.space.decision_nodes import BitwidthChoice, Decisions, WidthChoice
from nas.space.network import network_graph
from nas.space.supernet import INPUT, POOL, Layer, Supernet
from predictor import Board, Options, Prediction
from predictor.cost.instructions import interpreter_work
from predictor.cost.latency import features, timing
from predictor.memory.arena_2026 import AllocateTensors
from predictor.memory.flash import FlashReport, flash
from predictor.memory.greedy_planner import BufferRequest, planned_bytes
from predictor.memory.lifetimes import lifetimes
from predictor.memory.sram import SramReport, place
from predictor.model.file_forms import OperatorForm, OperatorPart, forms_bytes, tensor_group
from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType
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


_Key = tuple[tuple[int, ...], int | None, int]


class _Slot(NamedTuple):
    """A layer of a structure, the position of what it reads first, and known facts of such layers.

    Positions count the input and the layers' outputs. Facts are found by the shape of that input,
    channels and bits of weights; outputs have 8.
    """

    layer: Layer
    source: int
    known: dict[_Key, LayerFacts]


class _Structure(NamedTuple):
    """What networks have in common that differ in widths and bits of weights alone."""

    slots: tuple[_Slot, ...]
    operators: tuple[OperatorForm, ...]
    lives: tuple[tuple[int, int], ...]
    tensor_count: int
    code: FlashReport


class NetworkCosts:
    """Exact costs of a supernet's networks on a board."""

    def __init__(self, supernet: Supernet, board: Board, options: Options | None = None) -> None:
        self._supernet, self._board, self._options = supernet, board, options or Options()
        self._revision = self._options.revision(board.core.model)
        self._timing = timing(board, self._revision).costs
        self._structural_nodes = supernet.structural_nodes()
        self._structure = lru_cache(_STRUCTURES)(self._new_structure)
        self._code: dict[frozenset[OperatorPart], FlashReport] = {}
        tables: dict[Layer, dict[_Key, LayerFacts]] = {}
        self._known = {layer.name: tables.setdefault(plain(layer), {}) for layer in supernet.layers}
        self._choices = {
            name: node.options
            for name, node in supernet.nodes.items()
            if isinstance(node, WidthChoice | BitwidthChoice)
        }
        shape: tuple[int, ...] = (1, *supernet.input_shape)
        tensor = alone(Layer("reader", POOL, (INPUT,)), shape).main.tensors[0]
        self._input_form, self._input_quantization = tensor_group([tensor]), tensor.quantization
        self._input_shape, self._input_bytes = shape, runtime_bytes(tensor, shape)

    def of(self, decisions: Decisions) -> ExactCost | None:
        """The cost of the network of these decisions.

        None where other allocations than those of current TFLM are asked for, or where TFLM gets a
        device model in the network's place.
        """
        if self._revision.flow != FLOW:
            return None
        structure = self._structure(tuple(decisions[name] for name in self._structural_nodes))
        layers = structure and self._layers(structure.slots, decisions)
        if structure is None or layers is None:
            return None
        board, options = self._board, self._options
        groups = [self._input_form, *(facts.tensors for facts in layers)]
        ends = (0, structure.tensor_count - 1)
        model_bytes = forms_bytes(self._supernet.name, groups, structure.operators, ends)
        code = structure.code.with_model(model_bytes)
        flash_bytes = code.total_bytes + options.reserve_flash_bytes
        arena_bytes = self._arena_bytes(structure, layers)
        sram = place(board, arena_bytes, code.static_ram_bytes, options.reserve_ram_bytes)
        around = interpreter_work(self._revision, len(layers))
        counts = features([*(facts.work for facts in layers), around])
        return ExactCost(
            ops=2 * sum(facts.macs for facts in layers),
            latency_s=self._timing.cycles(counts) / board.core.clock_hz,
            model_bytes=model_bytes,
            arena_bytes=arena_bytes,
            flash_bytes=flash_bytes,
            sram=sram,
            fits=sram.fits and flash_bytes <= board.flash_bytes,
        )

    def _layers(self, slots: tuple[_Slot, ...], decisions: Decisions) -> list[LayerFacts] | None:
        """The facts of each layer, None where a device model would stand in a layer's place."""
        shapes = [self._input_shape]
        found = []
        for layer, source, known in slots:
            if self._chosen(layer.output_bits, decisions) != 8:
                return None
            shape, bits = shapes[source], self._chosen(layer.bits, decisions)
            channels = None
            if layer.channels is not None:
                channels = self._chosen(layer.channels, decisions)
            facts = known.get((shape, channels, bits))
            if facts is None:
                alike = plain(layer, channels, bits)
                facts = layer_facts(alike, shape, self._revision)
                known[shape, channels, bits] = facts
            if not facts.is_deployed:
                return None
            found.append(facts)
            shapes.append(facts.output_shape)
        return found

    def _chosen(self, choice: int | str, decisions: Decisions) -> int:
        return self._choices[choice][decisions[choice]] if isinstance(choice, str) else choice

    def _new_structure(self, options: tuple[int, ...]) -> _Structure | None:
        """The structure of these options of the structural nodes."""
        chosen = dict(zip(self._structural_nodes, options, strict=True))
        decisions = self._supernet.widest() | chosen
        layers = self._supernet.structure(decisions)
        positions = {INPUT: 0} | {layer.name: k for k, layer in enumerate(layers, 1)}
        sources = [tuple(positions[name] for name in layer.inputs) for layer in layers]
        slots = tuple(
            _Slot(layer, read[0], self._known[layer.name])
            for layer, read in zip(layers, sources, strict=True)
        )
        widest = self._layers(slots, decisions)
        if widest is None:
            return None
        # Positions among all tensors: a layer's constants stand before its output.
        outputs = [0, *accumulate(facts.tensor_count for facts in widest)]
        operators = tuple(
            OperatorForm(
                facts.operator,
                (*(outputs[k] for k in read), *range(outputs[number - 1] + 1, outputs[number])),
                (outputs[number],),
            )
            for number, (facts, read) in enumerate(zip(widest, sources, strict=True), 1)
        )
        code = self._code_of(frozenset(facts.operator for facts in widest), decisions)
        return _Structure(slots, operators, _lives(sources), outputs[-1] + 1, code)

    def _code_of(self, operators: frozenset[OperatorPart], decisions: Decisions) -> FlashReport:
        """The flash of networks with these operators, such as that of the decisions."""
        found = self._code.get(operators)
        if found is None:
            graph = network_graph(self._supernet.fixed(decisions))
            found = flash(graph, self._revision, self._options.resolver)
            self._code[operators] = found
        return found

    def _arena_bytes(self, structure: _Structure, layers: list[LayerFacts]) -> int:
        steps = AllocateTensors(self._revision)
        alignment = steps.allocator.alignment
        steps.prepare(layers, [structure.tensor_count], [len(layers)])
        scratch = [
            BufferRequest(align_up(size, alignment), step, step)
            for step, facts in enumerate(layers, 1)
            for size in facts.scratch_bytes
        ]
        steps.describe(1, structure.tensor_count + len(scratch))
        sizes = [self._input_bytes, *(facts.output_bytes for facts in layers)]
        requests = [
            BufferRequest(align_up(size, alignment), first, last)
            for size, (first, last) in zip(sizes, structure.lives, strict=True)
        ] + scratch
        height = planned_bytes(requests, steps.plan(requests))
        steps.finish(height, [self._input_quantization], [layers[-1].output_quantization])
        return align_up(steps.allocator.required_bytes, alignment)


def _lives(sources: list[tuple[int, ...]]) -> tuple[tuple[int, int], ...]:
    """The first and last step at which the input and the layers' outputs live.

    ``sources``: what each layer reads, 0 for the input and k for the k-th layer's output.
    """
    tensors = tuple(Tensor(i, "", (1,), _ONE_BYTE) for i in range(len(sources) + 1))
    operators = tuple(Operator(i, "", read, (i + 1,)) for i, read in enumerate(sources))
    main = Subgraph(0, "main", tensors, operators, (0,), (len(sources),))
    found = lifetimes(Graph((main,)), GraphState(), [], None).allocations
    return tuple((item.first_use, item.last_use) for item in found)
