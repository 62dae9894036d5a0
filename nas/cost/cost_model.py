"""Expected cost of a supernet, differentiable in the probabilities of its decisions.

Ops, latency and flatbuffer bytes are expectations over the layers' costs. Memory is the largest
sum of tensors and scratch alive at one step, as TFLM keeps them in file order, plus persistent
bytes; with ``memory="optimized"`` outputs overlap inputs, with ``"streamed"`` layers run in rows.
``memory="paper"`` offers the paper's model (section 5.1), too small for graphs that branch.
:meth:`CostModel.anchor` shifts the expectations so that they equal the exact prediction of one
network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.cost.expected_cost import ExpectedCost
from nas.cost.layer_costs import LayerCosts
from nas.cost.network_cost import QUANTITIES, ExactCost, NetworkCosts
from nas.cost.optimized import PLANNED, STREAMED, with_plan
from nas.space.decision_nodes import Decisions
from nas.space.network import network_graph
from nas.space.supernet import Supernet, has_four_bit_activations
from predictor import Board, Options, Prediction, find_board, predict_graph
from predictor.errors import UsageError
from predictor.model.tflite_writer import file_bytes

MEMORY_MODELS = ("liveness", "paper", *PLANNED)


def predicted(
    network: Supernet,
    board: str | Board,
    options: Options | None = None,
    memory: str = "liveness",
) -> Prediction:
    """The prediction of a network without open decisions on a board.

    ``memory``: one of ``PLANNED`` for the smallest plan of that kind instead of TFLM's own.
    """
    core = find_board(board).core.model
    graph = with_plan(network_graph(network), (options or Options()).revision(core), memory)
    return predict_graph(replace(graph, flatbuffer_bytes=file_bytes(graph)), board, options)


class CostModel:
    """Expected and exact cost of a supernet's networks on a board.

    Args:
        memory: "liveness", "paper", or one under which networks have a memory plan of their own:
            "optimized", or "streamed", with layers in rows (:mod:`nas.cost.optimized`).

    Raises:
        UsageError: unknown memory model, or kernels that do not take the activations' bits or run
            no layers in rows.
    """

    def __init__(
        self,
        supernet: Supernet,
        board: str | Board,
        options: Options | None = None,
        memory: str = "liveness",
    ) -> None:
        if memory not in MEMORY_MODELS:
            raise UsageError(f"unknown memory model {memory!r}; known: {', '.join(MEMORY_MODELS)}")
        self.supernet, self.memory = supernet, memory
        self._board, self._options = find_board(board), options
        kernel_set = (options or Options()).revision(self._board.core.model).kernel_set
        if not kernel_set.runs_device_models and has_four_bit_activations(supernet):
            raise UsageError(
                "TFLM has no kernels for activations of 4 bits; give --kernels mn, or a recipe "
                "without activation_bits = [4]"
            )
        if memory == STREAMED and not kernel_set.runs_device_models:
            raise UsageError(
                "the project's own kernels alone run layers in rows; give --kernels mn, or search "
                "with --memory optimized"
            )
        if memory in PLANNED and has_four_bit_activations(supernet):
            raise UsageError(
                "networks with activations of 4 bits run as device models, which predict optimize "
                "makes of the exported file; search with --memory liveness"
            )
        self._plan = ExpectedCost(supernet, memory, LayerCosts(self._board, options))
        self._offsets = dict.fromkeys(QUANTITIES, 0.0)
        self._networks = NetworkCosts(supernet, self._board, options)
        self.exact = lru_cache(maxsize=4096)(self._exact)
        self.anchor(supernet.widest())

    def _exact(self, chosen: tuple[tuple[str, int], ...]) -> ExactCost:
        decisions = dict(chosen)
        found = None if self.memory in PLANNED else self._networks.of(decisions)
        if found is None:
            network = self.supernet.fixed(decisions)
            found = ExactCost.of(predicted(network, self._board, self._options, self.memory))
        return found

    def exact_of(self, decisions: Decisions) -> ExactCost:
        """The exact cost of the network that these decisions choose."""
        return self.exact(tuple(sorted(decisions.items())))

    def expected(self, probabilities: Mapping[str, Any], offsets: Any = None) -> dict[str, Any]:
        """Expected ops, latency, model and arena bytes, as TensorFlow scalars.

        ``offsets`` are added in the order of ``QUANTITIES``; by default those of the anchor.
        """
        values = self._plan.expected(probabilities)
        shifts = self.offsets if offsets is None else offsets
        return {name: values[name] + shifts[i] for i, name in enumerate(QUANTITIES)}

    @property
    def offsets(self) -> tuple[float, ...]:
        return tuple(self._offsets[name] for name in QUANTITIES)

    def anchor(self, decisions: Decisions) -> ExactCost:
        """Shifts the expectations so that they are exact for these decisions.

        The paper's memory model is left as it is: that is what is compared with it.
        """
        exact = self.exact_of(decisions)
        expected = self._plan.expected(one_hot(self.supernet, decisions))
        for name, value in exact.quantities().items():
            if name != "arena_bytes" or self.memory != "paper":
                self._offsets[name] = value - float(expected[name])
        return exact

    def restore(self, offsets: tuple[float, ...]) -> None:
        """Sets the shifts, as a checkpoint holds them."""
        self._offsets = dict(zip(QUANTITIES, offsets, strict=True))


def one_hot(supernet: Supernet, decisions: Decisions) -> dict[str, npt.NDArray[np.float32]]:
    """Probabilities that leave no doubt about these decisions."""
    return {
        name: np.eye(len(node), dtype=np.float32)[decisions[name]]
        for name, node in supernet.nodes.items()
    }
