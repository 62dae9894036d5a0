"""Loss functions: cross entropy, mixup and distillation (Hinton et al., 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


def cross_entropy(targets: Any, logits: Any) -> Any:
    """Mean cross entropy against target distributions."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def distilled(targets: Any, logits: Any, teacher: Any, share: float, temperature: float) -> Any:
    """Cross entropy, with a share of it against the teacher's softened answers."""
    soft = tf.nn.softmax(teacher / temperature)
    # The square keeps the gradient's size when the temperature rises.
    taught = cross_entropy(soft, logits / temperature) * temperature**2
    return (1.0 - share) * cross_entropy(targets, logits) + share * taught


def mixup(
    x: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    alpha: float,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mixes each sample with another by a share drawn from Beta(alpha, alpha)."""
    if alpha <= 0:
        return x, targets
    share = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    other = rng.permutation(len(x))
    image_share = share[:, None, None, None]
    mixed = image_share * x + (1 - image_share) * x[other]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[other]
