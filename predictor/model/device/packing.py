"""How TensorFlow Lite stores INT4: two elements a byte, the even one in the low half."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Elements = npt.NDArray[np.int8]


def pack(values: npt.ArrayLike, bits: int) -> Elements:
    """Flat stored bytes of elements of 8 or 4 bits; the unused half of a last byte is 0."""
    flat = np.array(values, np.int8).reshape(-1)
    if bits == 8:
        return flat
    nibbles = np.zeros(flat.size + flat.size % 2, np.uint8)
    nibbles[: flat.size] = flat.view(np.uint8) & 15
    return (nibbles[0::2] | nibbles[1::2] << 4).view(np.int8)


def unpack(data: npt.NDArray[np.int8] | memoryview, elements: int, bits: int) -> Elements:
    """The first so many elements of stored bytes."""
    stored = np.frombuffer(data, np.uint8)
    if bits == 8:
        return stored[:elements].view(np.int8).copy()
    nibbles = np.stack([stored & 15, stored >> 4], axis=1).reshape(-1)[:elements]
    return ((nibbles ^ 8).astype(np.int8) - 8).astype(np.int8)
