"""Products of probabilities of decisions, computed all at once.

What is expected of a supernet is linear in products such as "block 3 runs, with a 5 x 5 kernel".
One gather and a few multiplications yield all of them, constant matrices the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.space.decision_nodes import DecisionNode

Factors = tuple[tuple[str, int], ...]
"""Options that are all taken, as (node, option index); none: what is certain."""
Matrix = npt.NDArray[np.float32]


class Products:
    """Products of which a matrix is made, and their values.

    Args:
        nodes: the decisions of a supernet, by name.
    """

    def __init__(self, nodes: Mapping[str, DecisionNode]) -> None:
        self._first: dict[str, int] = {}
        position = 1  # behind a probability of 1
        for name, node in nodes.items():
            self._first[name] = position
            position += len(node)
        self.probabilities = position
        self._products: tuple[Factors, ...] = ()

    def option(self, node: str, option: int) -> int:
        """Where the probability of an option stands in :meth:`flat`."""
        return self._first[node] + option

    def matrix(self, terms: Iterable[tuple[Factors, int]], columns: int) -> Matrix:
        """The matrix (products x columns) that adds up terms (product, column)."""
        terms = [(tuple(sorted(factors)), column) for factors, column in terms]
        self._products = tuple(dict.fromkeys(factors for factors, _ in terms))
        row_of = {factors: row for row, factors in enumerate(self._products)}
        found = np.zeros((len(self._products), columns), np.float32)
        for factors, column in terms:
            found[row_of[factors], column] += 1
        return found

    def flat(self, probabilities: Mapping[str, Any]) -> Any:
        """1 and the probabilities of all options in a row."""
        import tensorflow as tf

        values = [tf.convert_to_tensor(probabilities[name]) for name in self._first]
        return tf.concat([tf.ones([1], tf.float32), *values], axis=0)

    def values(self, flat: Any) -> Any:
        """The products, in the order of the matrix's rows."""
        import tensorflow as tf

        longest = max(map(len, self._products), default=0)
        found = tf.ones([len(self._products)], tf.float32)
        for place in range(longest):
            options = [
                self.option(*factors[place]) if place < len(factors) else 0
                for factors in self._products
            ]
            found = found * tf.gather(flat, options)
        return found
