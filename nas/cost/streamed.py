"""Expected arena of networks whose layers run in rows, differentiable in the sizes of tensors.

As in :mod:`predictor.optimization.row_search`, the lowest path from the first layer to the end
counts, whose edges are single layers and groups of layers. A group keeps its larger end, of each
tensor inside as many rows as the window that reads it, and its largest scratch buffer. What it
keeps beside that, for the application or for branches, is left to the anchor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.space.supernet import ADD, CONV, DEPTHWISE, INPUT, POOL, SELECT, Layer, Supernet

_STREAMED = (CONV, DEPTHWISE, ADD, POOL)
_NEVER = 1e12
"""Bytes of what is no group."""


class RowGroups:
    """The groups that a supernet's layers may form.

    Args:
        row_of: where each tensor stands among the sizes that :meth:`lowest` gets.
    """

    def __init__(self, supernet: Supernet, row_of: Mapping[str, int]) -> None:
        self._layers = {layer.name: layer for layer in supernet.layers}
        self._steps = [layer for layer in supernet.layers if layer.kind != SELECT]
        self._number = {step.name: number for number, step in enumerate(self._steps)}
        self._readers = self._last_readers()
        self._inputs = np.array([row_of[step.inputs[0]] for step in self._steps])
        self._outputs = np.array([row_of[step.name] for step in self._steps])
        self._kept = self._kept_shares(supernet)
        self._barred = self._barred_groups()

    def lowest(self, alone: Any, sizes: Any, presence: Any, scratch: Any) -> Any:
        """Bytes of the lowest path.

        Args:
            alone: bytes of each step by itself.
            sizes: of all tensors.
            presence: of each step.
            scratch: of each step, times its presence.
        """
        import tensorflow as tf

        count = len(self._steps)
        outputs = tf.gather(sizes, self._outputs)
        lines = tf.cumsum(presence * self._kept * outputs, exclusive=True)
        largest = [scratch]  # of the steps from each one to that and k more
        for k in range(1, count):
            largest.append(tf.maximum(largest[-1][: count - k], scratch[k:]))
        ends = tf.maximum(tf.gather(sizes, self._inputs)[:, None], outputs[None, :])
        heights = ends + lines[None, :] - lines[:, None] + self._barred
        best = [tf.zeros(())]
        for last in range(count):
            scratches = tf.stack([largest[last - first][first] for first in range(last + 1)])
            edges = heights[: last + 1, last] + scratches
            edges = tf.concat([edges[:last], [tf.minimum(edges[last], alone[last])]], axis=0)
            best.append(tf.reduce_min(tf.maximum(tf.stack(best), edges)))
        return best[-1]

    def _origins(self, name: str) -> Iterator[str]:
        """The steps whose output a tensor may be, or the network's input."""
        layer = self._layers.get(name)
        if layer is None or layer.kind != SELECT:
            yield name
            return
        for source in layer.inputs:
            yield from self._origins(source)

    def _read_by(self, step: Layer) -> set[str]:
        return {origin for name in step.inputs for origin in self._origins(name)}

    def _last_readers(self) -> dict[str, int]:
        """For each tensor the last step that may read it."""
        return {
            origin: number
            for number, step in enumerate(self._steps)
            for origin in self._read_by(step)
        }

    def _kept_shares(self, supernet: Supernet) -> npt.NDArray[np.float32]:
        """The share of each step's output that a group keeps: rows of the window that reads it."""
        sizes = supernet.sizes()
        rows = dict.fromkeys(self._number, 1)
        for step in self._steps:
            reach = step.kernel[0] if step.kind in (CONV, DEPTHWISE) else 1
            for name in self._read_by(step) - {INPUT}:
                rows[name] = max(rows[name], reach)
        shares = [min(1.0, rows[step.name] / sizes[step.name][0]) for step in self._steps]
        return np.array(shares, np.float32)

    def _barred_groups(self) -> npt.NDArray[np.float32]:
        """What keeps steps from being a group, by the first and the last."""
        count = len(self._steps)
        found = np.full((count, count), _NEVER, np.float32)
        for first in range(count):
            for last in range(first + 1, count):
                if self._is_group(range(first, last + 1)):
                    found[first, last] = 0.0
        return found

    def _is_group(self, numbers: Sequence[int]) -> bool:
        """Whether one tensor goes in and one comes out; a pooling, of the whole image, ends it."""
        steps = [self._steps[number] for number in numbers]
        inside = {step.name for step in steps}
        outside = {name for step in steps for name in self._read_by(step)} - inside
        return (
            all(step.kind in _STREAMED for step in steps)
            and all(step.kind != POOL for step in steps[:-1])
            and len(outside) == 1
            and all(self._readers.get(step.name, 0) <= numbers[-1] for step in steps[:-1])
        )
