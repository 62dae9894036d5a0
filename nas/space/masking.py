"""Channel masks that let all widths of a layer share one set of weights (FBNetV2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def prefix_masks(options: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """One row per width: ones for its channels, zeros up to the widest (options x channels)."""
    channels = np.arange(options[-1])
    return (channels[None, :] < np.array(options)[:, None]).astype(np.float32)


def expected_mask(probabilities: Any, masks: npt.NDArray[np.float32]) -> Any:
    """The mask of a soft choice: the masks of its options, weighted."""
    import tensorflow as tf

    return tf.linalg.matvec(tf.constant(masks), probabilities, transpose_a=True)
