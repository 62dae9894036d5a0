"""Expected cost of a supernet's networks, from the probabilities of its decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.decision_nodes import WidthChoice
from nas.layer_costs import LayerCost, LayerCosts
from nas.supernet import CONV, DEPTHWISE, INPUT, SELECT, Pair, Supernet

ARENA_ALIGNMENT = 16
ZERO_POINT_BYTES = 8
"""The schema stores zero points as 64-bit numbers."""
_SHARPNESS = 40.0
"""Inverse temperature, over the peak, of the weights that share out the gradient of a maximum."""


class ExpectedCost:
    """Constant matrices that turn probabilities into expected costs with few operations.

    ``memory`` is one of the models of :mod:`nas.cost`.
    """

    def __init__(self, supernet: Supernet, memory: str, layer_costs: LayerCosts) -> None:
        self._supernet, self._memory, self._layer_costs = supernet, memory, layer_costs
        self._steps = [layer for layer in supernet.layers if layer.kind != SELECT]
        self._tensors = [INPUT, *(layer.name for layer in supernet.layers)]
        self._row = {name: row for row, name in enumerate(self._tensors)}
        self._possible = _possible_widths(supernet)
        self._support = np.array(sorted(set().union(*self._possible.values())), np.float32)
        self._bytes = self._tensor_bytes()
        self._live = self._live_tensors()
        self._inputs = np.array([self._row[step.inputs[0]] for step in self._steps])
        self._outputs = np.array([self._row[step.name] for step in self._steps])
        self._overlapping = self._overlapping_steps()
        self._per_channel = [
            row for row, step in enumerate(self._steps) if step.kind in (CONV, DEPTHWISE)
        ]
        self._conditions = sorted({step.when for step in self._steps})
        self._condition_of = [self._conditions.index(step.when) for step in self._steps]
        self._bits, self._coefficients = self._step_coefficients()

    def expected(self, probabilities: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        p = {name: tf.convert_to_tensor(value) for name, value in probabilities.items()}
        widths = self._width_probabilities(p)
        channels = tf.linalg.matvec(widths, self._support)
        half = self._four_bit_shares(p)[:, None]
        bytes_of_width = self._bytes[0] + half * (self._bytes[1] - self._bytes[0])
        sizes = tf.reduce_sum(widths * bytes_of_width, axis=1)
        cin, cout = tf.gather(channels, self._inputs), tf.gather(channels, self._outputs)
        features = tf.stack([tf.ones_like(cin), cin, cout, cin * cout], axis=1)
        shares = tf.stack([_product(p, condition) for condition in self._conditions])
        presence = tf.gather(shares, self._condition_of)
        costs = tf.einsum("bsqf,sf,sb->sq", self._coefficients, features, self._bit_weights(p))
        fields = {name: costs[:, i] for i, name in enumerate(LayerCost._fields)}
        alive = tf.linalg.matvec(self._live, sizes)
        if self._memory == "optimized":
            ends = tf.gather(sizes, self._inputs), tf.gather(sizes, self._outputs)
            alive -= self._overlapping * tf.minimum(*ends)
        if self._memory == "paper":
            arena = _peak(presence * alive)
        else:
            persistent = tf.reduce_sum(presence * fields["persistent_bytes"])
            arena = _peak(presence * (alive + fields["scratch_bytes"])) + persistent
        model = tf.reduce_sum(presence * fields["model_bytes"])
        return {
            "ops": 2.0 * tf.reduce_sum(presence * fields["macs"]),
            "latency_s": tf.reduce_sum(presence * fields["latency_s"]),
            "model_bytes": model + self._shared_zero_points(widths, presence),
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

    def _width_probabilities(self, p: Mapping[str, Any]) -> Any:
        """Distribution of each tensor's width over the support (tensors x widths)."""
        import tensorflow as tf

        found: dict[str, Any] = {INPUT: self._certain(self._supernet.input_shape[2])}
        for layer in self._supernet.layers:
            if layer.kind == SELECT:
                shares = p[str(layer.decision)]
                found[layer.name] = tf.add_n(
                    [shares[k] * found[name] for k, name in enumerate(layer.inputs)]
                )
            elif isinstance(layer.channels, str):
                node = self._supernet.nodes[layer.channels]
                assert isinstance(node, WidthChoice)
                spread = np.stack([self._certain(channels) for channels in node.options])
                found[layer.name] = tf.linalg.matvec(tf.constant(spread), p[layer.channels], True)
            elif layer.channels is not None:
                found[layer.name] = self._certain(layer.channels)
            else:
                found[layer.name] = found[layer.inputs[0]]
        return tf.stack([found[name] for name in self._tensors])

    def _certain(self, channels: int) -> npt.NDArray[np.float32]:
        return np.asarray(self._support == channels, np.float32)

    def _four_bit_shares(self, p: Mapping[str, Any]) -> Any:
        """Probability of each tensor to be of 4 bits (tensors)."""
        import tensorflow as tf

        found: dict[str, Any] = {INPUT: tf.constant(0.0)}
        for layer in self._supernet.layers:
            if layer.kind == SELECT:
                shares = p[str(layer.decision)]
                found[layer.name] = tf.add_n(
                    [shares[k] * found[name] for k, name in enumerate(layer.inputs)]
                )
            else:
                found[layer.name] = self._share(p, layer.output_bits, 4)
        return tf.stack([found[name] for name in self._tensors])

    def _share(self, p: Mapping[str, Any], bits: int | str, wanted: int) -> Any:
        """Probability that a layer's bits are ``wanted``."""
        import tensorflow as tf

        options = self._supernet.bit_options(bits)
        if isinstance(bits, int) or wanted not in options:
            return tf.constant(float(wanted in options))
        return p[bits][options.index(wanted)]

    def _bit_weights(self, p: Mapping[str, Any]) -> Any:
        """Share of each pair of bits in each step (steps x pairs)."""
        import tensorflow as tf

        rows = []
        for step in self._steps:
            pairs = [
                self._share(p, step.bits, weights) * self._share(p, step.output_bits, output)
                for weights, output in self._bits
            ]
            rows.append(tf.stack(pairs))
        return tf.stack(rows)

    def _step_coefficients(self) -> tuple[tuple[Pair, ...], npt.NDArray[np.float32]]:
        """Bits of weights and output that occur, and coefficients for each pair of them.

        The coefficients are an array (pairs x steps x fields x features).
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
        return bits, table

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


def _product(p: Mapping[str, Any], when: tuple[tuple[str, int], ...]) -> Any:
    import tensorflow as tf

    value = tf.constant(1.0)
    for node, option in when:
        value = value * p[node][option]
    return value


def _peak(values: Any) -> Any:
    """The maximum, whose gradient is shared between all values near it."""
    import tensorflow as tf

    top = tf.stop_gradient(tf.reduce_max(values))
    shares = tf.stop_gradient(tf.nn.softmax(_SHARPNESS * values / tf.maximum(top, 1.0)))
    soft = tf.reduce_sum(shares * values)
    return soft + tf.stop_gradient(top - soft)
