"""The builder of whole models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from predictor.errors import UsageError
from predictor.model.builder.convolutions import ConvolutionLayers
from predictor.model.builder.elementwise import ElementwiseLayers
from predictor.model.builder.movement import MovementLayers
from predictor.model.builder.tensors import TensorRef
from predictor.model.graph import Graph
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED, offline_plan_bytes
from predictor.model.tflite_writer import write_model


class SubgraphBuilder(ConvolutionLayers, ElementwiseLayers, MovementLayers):
    """A subgraph with all layers."""


class ModelBuilder(SubgraphBuilder):
    """Builds a ``.tflite`` file; is itself the builder of its main subgraph.

    ::

        builder = ModelBuilder("example")
        x = builder.input((1, 49, 10, 1), "int8")
        x = builder.conv_2d(x, 64, kernel=(10, 4), stride=2, activation="relu")
        builder.output(builder.softmax(builder.fully_connected(x, 12)))
        content = builder.build()

    Args:
        name: the model's description, which error messages name too.
        seed: of the random weights; equal calls with an equal seed give equal bytes.
    """

    def __init__(self, name: str = "model", *, seed: int = 0) -> None:
        super().__init__(name, 0, "main", np.random.default_rng(seed))
        self._called: list[SubgraphBuilder] = []
        self._metadata: dict[str, memoryview] = {}
        self._offline_offsets: Mapping[TensorRef, int] | None = None

    def subgraph(self, name: str = "") -> SubgraphBuilder:
        """Adds a subgraph, for control flow; its ``index`` is what operators call it by."""
        index = len(self._called) + 1
        builder = SubgraphBuilder(self.model_name, index, name or f"subgraph_{index}", self._rng)
        self._called.append(builder)
        return builder

    def metadata(self, name: str, content: bytes) -> None:
        """Adds a metadata entry; a later one of the same name replaces it."""
        self._metadata[name] = memoryview(content)

    def offline_plan(self, offsets: Mapping[TensorRef, int]) -> None:
        """Fixes the arena offsets of tensors, in bytes; TFLM places the others itself."""
        self._offline_offsets = dict(offsets)

    def graph(self) -> Graph:
        """The model as built so far.

        Raises:
            UsageError: a subgraph has no output, or the offline plan names a foreign tensor.
        """
        metadata = dict(self._metadata)
        if self._offline_offsets is not None:
            metadata[OFFLINE_PLAN] = memoryview(self._offline_plan_bytes(self._offline_offsets))
        return Graph(
            subgraphs=tuple(builder.finished() for builder in (self, *self._called)),
            metadata=MappingProxyType(metadata),
            description=self.model_name,
        )

    def build(self) -> bytes:
        """The bytes of the ``.tflite`` file.

        Raises:
            UsageError: the model is not complete, or an option does not fit the schema.
        """
        return write_model(self.graph())

    def _offline_plan_bytes(self, offsets: Mapping[TensorRef, int]) -> bytes:
        builders: tuple[SubgraphBuilder, ...] = (self, *self._called)
        rows = [[ONLINE_PLANNED] * builder.tensor_count for builder in builders]
        for tensor, offset in offsets.items():
            if not 0 <= tensor.subgraph_index < len(builders):
                raise UsageError(f"the offline plan names {tensor.name!r} of an absent subgraph")
            rows[tensor.subgraph_index][builders[tensor.subgraph_index].index_of(tensor)] = offset
        return offline_plan_bytes([offset for row in rows for offset in row])
