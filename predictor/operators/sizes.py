"""Bytes that tensors take at run time."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

from predictor.errors import RefusedError
from predictor.model.graph import Tensor, TensorType

RUNTIME_TYPE_BYTES: Mapping[TensorType, int] = MappingProxyType(
    {
        TensorType.FLOAT16: 2,
        TensorType.BFLOAT16: 2,
        TensorType.FLOAT32: 4,
        TensorType.FLOAT64: 8,
        TensorType.INT16: 2,
        TensorType.INT32: 4,
        TensorType.UINT32: 4,
        TensorType.UINT8: 1,
        TensorType.UINT16: 2,
        TensorType.INT8: 1,
        TensorType.INT64: 8,
        TensorType.UINT64: 8,
        TensorType.BOOL: 1,
        TensorType.RESOURCE: 4,
        TensorType.COMPLEX64: 8,
        TensorType.COMPLEX128: 16,
        TensorType.INT4: 1,
    }
)
"""Bytes of an element in the arena. Mirrors ``TfLiteTypeSizeOf``: INT4 counts a whole byte, and
types that are missing here (STRING, VARIANT, INT2, ...) make TFLM fail."""


def runtime_bytes(tensor: Tensor, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor with the given shape. Mirrors ``TfLiteEvalTensorByteLength``.

    Raises:
        RefusedError: TFLM has no size for the element type.
    """
    type_bytes = RUNTIME_TYPE_BYTES.get(tensor.type)
    if type_bytes is None:
        raise RefusedError(
            f"tensor {tensor.index} ({tensor.name}) is {tensor.type.name}, a type without a size "
            "in TFLM"
        )
    return prod(shape) * type_bytes


def to_int32(value: int) -> int:
    """What an ``int`` of 32 bits keeps of a number."""
    return (value + 2**31) % 2**32 - 2**31


def align_up(value: int, alignment: int) -> int:
    """The smallest multiple of ``alignment`` that is not below ``value``."""
    return -(-value // alignment) * alignment
