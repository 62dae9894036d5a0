"""Gumbel-softmax sampling of decision nodes (Jang et al., 2017) and its temperature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_TINY = 1e-20


def gumbel_softmax(logits: Any, temperature: Any, seed: Any) -> Any:
    """A relaxed one-hot sample; the same seed (two integers) gives the same sample."""
    uniform = tf.random.stateless_uniform(tf.shape(logits), seed=seed)
    noise = -tf.math.log(-tf.math.log(uniform + _TINY) + _TINY)
    return tf.nn.softmax((logits + noise) / temperature)


def sample(logits: Mapping[str, Any], temperature: Any, seed: Any) -> dict[str, Any]:
    """A relaxed sample of each node, from independent streams of one seed."""
    seeds = tf.random.experimental.stateless_split(seed, max(2, len(logits)))
    return {
        name: gumbel_softmax(values, temperature, seeds[position])
        for position, (name, values) in enumerate(logits.items())
    }


def probabilities(logits: Mapping[str, Any]) -> dict[str, Any]:
    """Softmax of each node's logits: the distribution whose expected cost is constrained."""
    return {name: tf.nn.softmax(values) for name, values in logits.items()}
