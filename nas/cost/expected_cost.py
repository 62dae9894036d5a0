"""Expected cost of a supernet's networks, from the probabilities of its decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.cost.layer_costs import LayerCost, LayerCosts
from nas.cost.optimized import PLANNED, STREAMED
from nas.cost.products import Factors, Matrix, Products
from nas.cost.streamed import RowGroups
from nas.space.decision_nodes import WidthChoice
from nas.space.supernet import CONV, DEPTHWISE, INPUT, SELECT, Layer, Pair, Supernet

ARENA_ALIGNMENT = 16
ZERO_POINT_BYTES = 8
"""The schema stores zero points as 64-bit numbers."""
_SHARPNESS = 40.0
"""Inverse temperature, over the peak, of the weights that share out the gradient of a maximum."""


class ExpectedCost:
    """Constant matrices that turn probabilities into expected costs with few operations.

    ``memory`` is one of the models of :mod:`nas.cost.cost_model`.
    """

    def __init__(self, supernet: Supernet, memory: str, layer_costs: LayerCosts) -> None:
        self._supernet, self._memory, self._layer_costs = supernet, memory, layer_costs
        self._steps = [layer for layer in supernet.layers if layer.kind != SELECT]
        self._layers = {layer.name: layer for layer in supernet.layers}
        self._tensors = [INPUT, *self._layers]
        self._row = {name: row for row, name in enumerate(self._tensors)}
        self._possible = _possible_widths(supernet)
        self._support = np.array(sorted(set().union(*self._possible.values())), np.float32)
        self._bytes = self._tensor_bytes()
        self._live = self._live_tensors()
        self._inputs = np.array([self._row[step.inputs[0]] for step in self._steps])
        self._outputs = np.array([self._row[step.name] for step in self._steps])
        self._overlapping = self._overlapping_steps()
        self._groups = RowGroups(supernet, self._row) if memory == STREAMED else None
        self._per_channel = [
            row for row, step in enumerate(self._steps) if step.kind in (CONV, DEPTHWISE)
        ]
        self._bits, self._coefficients = self._step_coefficients()
        self._products = Products(supernet.nodes)
        self._sources, self._shares = self._product_matrix()
        self._spread = self._width_matrix()

    def expected(self, probabilities: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        steps, tensors, sources = len(self._steps), len(self._tensors), len(self._sources)
        flat = self._products.flat(probabilities)
        shares = tf.linalg.matvec(self._shares, self._products.values(flat), transpose_a=True)
        presence, half, mixture, bits = tf.split(
            shares, [steps, tensors, tensors * sources, steps * len(self._bits)]
        )
        spread = tf.linalg.matvec(self._spread, flat, transpose_a=True)
        widths = tf.reshape(mixture, (tensors, sources)) @ tf.reshape(spread, (sources, -1))
        channels = tf.linalg.matvec(widths, self._support)
        half = half[:, None]
        bytes_of_width = self._bytes[0] + half * (self._bytes[1] - self._bytes[0])
        sizes = tf.reduce_sum(widths * bytes_of_width, axis=1)
        cin, cout = tf.gather(channels, self._inputs), tf.gather(channels, self._outputs)
        features = tf.stack([tf.ones_like(cin), cin, cout, cin * cout], axis=1)
        weights = tf.reshape(bits, (steps, -1, 1)) * features[:, None, :]
        costs = tf.reshape(tf.reshape(weights, (steps, 1, -1)) @ self._coefficients, (steps, -1))
        totals = LayerCost(*tf.unstack(tf.linalg.matvec(costs, presence, transpose_a=True)))
        alive = tf.linalg.matvec(self._live, sizes)
        if self._memory in PLANNED:
            ends = tf.gather(sizes, self._inputs), tf.gather(sizes, self._outputs)
            alive -= self._overlapping * tf.minimum(*ends)
        if self._memory == "paper":
            arena = _peak(presence * alive)
        else:
            scratch = costs[:, LayerCost._fields.index("scratch_bytes")]
            alone = presence * (alive + scratch)
            if self._groups is None:
                arena = _peak(alone) + totals.persistent_bytes
            else:
                # Tables lie in flash; what else is persistent is left to the anchor.
                arena = self._groups.lowest(alone, sizes, presence, presence * scratch)
        return {
            "ops": 2.0 * totals.macs,
            "latency_s": totals.latency_s,
            "model_bytes": totals.model_bytes + self._shared_zero_points(widths, presence),
            "arena_bytes": arena,
        }

    def _shared_zero_points(self, widths: Any, presence: Any) -> Any:
        """What is saved as layers of equal width share one vector of zero points (negative).

        A vector is in the file if any layer has its width.
        """
        import tensorflow as tf

        rows = tf.gather(widths, self._outputs[self._per_channel])
        shares = rows * tf.gather(presence, self._per_channel)[:, None]
        vector_bytes = ZERO_POINT_BYTES * self._support + ZERO_POINT_BYTES
        in_file = 1.0 - tf.reduce_prod(1.0 - shares, axis=0)
        return tf.reduce_sum((in_file - tf.reduce_sum(shares, axis=0)) * vector_bytes)

    def _product_matrix(self) -> tuple[tuple[int | str, ...], Matrix]:
        """What tensors have their widths from (a number or a node), and a matrix over products.

        Its columns: presence of each step; each tensor's probability to be of 4 bits; that of each
        tensor to have its width from each source; each step's share of each pair of bits.
        """
        paths = {name: list(self._paths(name)) for name in self._tensors}
        sources = tuple(dict.fromkeys(source for found in paths.values() for _, source in found))
        terms = [(step.when, row) for row, step in enumerate(self._steps)]
        first = len(self._steps)
        for row, name in enumerate(self._tensors):
            terms += [(factors, first + row) for factors in self._four_bit_paths(name)]
        first += len(self._tensors)
        for row, name in enumerate(self._tensors):
            column = first + row * len(sources)
            terms += [(f, column + sources.index(source)) for f, source in paths[name]]
        first += len(self._tensors) * len(sources)
        for row, step in enumerate(self._steps):
            for column, (weights, output) in enumerate(self._bits, first + row * len(self._bits)):
                chosen = product(
                    self._option(step.bits, weights), self._option(step.output_bits, output)
                )
                terms += [((*one, *other), column) for one, other in chosen]
        columns = first + len(self._steps) * len(self._bits)
        return sources, self._products.matrix(terms, columns)

    def _origins(self, name: str) -> Iterator[tuple[Factors, Layer | None]]:
        """The layers whose output a tensor may be, None for the input, and the decisions under
        which it is theirs."""
        layer = self._layers.get(name)
        if layer is None or layer.kind != SELECT:
            yield (), layer
            return
        for option, source in enumerate(layer.inputs):
            for factors, origin in self._origins(source):
                yield (*factors, (str(layer.decision), option)), origin

    def _paths(self, name: str) -> Iterator[tuple[Factors, int | str]]:
        """Where a tensor has its width from, and the decisions under which it has it from there."""
        for factors, layer in self._origins(name):
            if layer is None:
                yield factors, self._supernet.input_shape[2]
            elif layer.channels is not None:
                yield factors, layer.channels
            else:
                for others, width in self._paths(layer.inputs[0]):
                    yield (*others, *factors), width

    def _four_bit_paths(self, name: str) -> Iterator[Factors]:
        """The decisions under which a tensor is of 4 bits."""
        for factors, layer in self._origins(name):
            if layer is not None:
                yield from ((*one, *factors) for one in self._option(layer.output_bits, 4))

    def _option(self, bits: int | str, wanted: int) -> list[Factors]:
        """The decision for ``wanted`` bits; empty where they are not on offer."""
        options = self._supernet.bit_options(bits)
        if wanted not in options:
            return []
        return [()] if isinstance(bits, int) else [((bits, options.index(wanted)),)]

    def _width_matrix(self) -> Matrix:
        """From the probabilities of all options to each source's distribution over the support."""
        found = np.zeros((self._products.probabilities, len(self._sources), len(self._support)))
        for column, source in enumerate(self._sources):
            if isinstance(source, int):
                found[0, column] = self._support == source
                continue
            node = self._supernet.nodes[source]
            assert isinstance(node, WidthChoice)
            for option, channels in enumerate(node.options):
                found[self._products.option(source, option), column] = self._support == channels
        return found.reshape(len(found), -1).astype(np.float32)

    def _step_coefficients(self) -> tuple[tuple[Pair, ...], npt.NDArray[np.float32]]:
        """Bits of weights and output that occur, and coefficients for each pair of them.

        The coefficients are an array (steps x pairs and features x fields).
        """
        supernet = self._supernet
        of_step = [
            set(product(supernet.bit_options(s.bits), supernet.bit_options(s.output_bits)))
            for s in self._steps
        ]
        bits = tuple(sorted(set().union(*of_step)))
        sizes = supernet.sizes()
        shape = (len(bits), len(self._steps), len(LayerCost._fields), 4)
        table = np.zeros(shape, np.float32)
        for position, step in enumerate(self._steps):
            source = step.inputs[0]
            inputs, outputs = self._possible[source], self._possible[step.name]
            for row, pair in enumerate(bits):
                if pair in of_step[position]:
                    table[row, position] = self._layer_costs.coefficients(
                        step,
                        sizes[source],
                        (min(inputs), max(inputs)),
                        (min(outputs), max(outputs)),
                        pair,
                    )
        return bits, table.transpose(1, 0, 3, 2).reshape(
            len(self._steps), -1, len(LayerCost._fields)
        )

    def _tensor_bytes(self) -> npt.NDArray[np.float32]:
        """Bytes of tensors of 8 and of 4 bits (2 x tensors x widths)."""
        sizes = self._supernet.sizes()
        elements = np.array([np.prod(sizes[name]) * self._support for name in self._tensors])
        found = np.stack([elements, np.ceil(elements / 2)])
        if self._memory != "paper":
            found = np.ceil(found / ARENA_ALIGNMENT) * ARENA_ALIGNMENT
        return found.astype(np.float32)

    def _overlapping_steps(self) -> npt.NDArray[np.float32]:
        """Steps whose output may lie over their input, which nothing reads afterwards.

        All kernels of a search's networks allow it but for a few rows, which anchors make up for.
        """
        readers = Counter(name for layer in self._supernet.layers for name in layer.inputs)
        alone = [all(readers[name] == 1 for name in step.inputs) for step in self._steps]
        return np.array(alone, np.float32)

    def _live_tensors(self) -> npt.NDArray[np.float32]:
        """Which tensors are alive at each step, given that the step exists (steps x tensors).

        A select runs nothing: what it passes on lives before it under its own name and after it
        under the select's.
        """
        live = np.zeros((len(self._steps), len(self._tensors)), np.float32)
        if self._memory == "paper":
            for row, step in enumerate(self._steps):
                live[row, [self._row[name] for name in (*set(step.inputs), step.name)]] = 1
            return live
        begin, end = {INPUT: 0}, {INPUT: 0}
        position = 0
        for layer in self._supernet.layers:
            begin[layer.name] = end[layer.name] = position
            if layer.kind == SELECT:
                continue
            for name in layer.inputs:
                end[name] = position
            position += 1
        for name, column in self._row.items():
            live[begin[name] : end[name] + 1, column] = 1
        return live


def _possible_widths(supernet: Supernet) -> dict[str, set[int]]:
    found = {INPUT: {supernet.input_shape[2]}}
    for layer in supernet.layers:
        if isinstance(layer.channels, str):
            node = supernet.nodes[layer.channels]
            assert isinstance(node, WidthChoice)
            found[layer.name] = set(node.options)
        elif layer.channels is not None:
            found[layer.name] = {layer.channels}
        else:
            found[layer.name] = set().union(*(found[name] for name in layer.inputs))
    return found


def _peak(values: Any) -> Any:
    """The maximum, whose gradient is shared between all values near it."""
    import tensorflow as tf

    top = tf.stop_gradient(tf.reduce_max(values))
    shares = tf.stop_gradient(tf.nn.softmax(_SHARPNESS * values / tf.maximum(top, 1.0)))
    soft = tf.reduce_sum(shares * values)
    return soft + tf.stop_gradient(top - soft)
