"""Handles of tensors under construction, their element types and their quantisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from predictor.errors import UsageError
from predictor.model.device.packing import pack
from predictor.model.graph import Quantization, Tensor, TensorType

Type = TensorType | str
"""An element type, or its name in any case ("int8")."""

NUMPY_TYPES: Mapping[TensorType, str] = MappingProxyType(
    {
        TensorType.FLOAT32: "<f4",
        TensorType.FLOAT16: "<f2",
        TensorType.FLOAT64: "<f8",
        TensorType.INT8: "i1",
        TensorType.INT16: "<i2",
        TensorType.INT32: "<i4",
        TensorType.INT64: "<i8",
        TensorType.UINT8: "u1",
        TensorType.UINT16: "<u2",
        TensorType.UINT32: "<u4",
        TensorType.UINT64: "<u8",
        TensorType.BOOL: "?",
        TensorType.COMPLEX64: "<c8",
        TensorType.INT4: "i1",
    }
)
"""Types that constants can have. INT4 values come one per byte and are packed."""

_INTEGER_RANGES = {
    TensorType.INT4: (-8, 7),
    TensorType.INT8: (-128, 127),
    TensorType.UINT8: (0, 255),
    TensorType.INT16: (-32768, 32767),
}


@dataclass(frozen=True, eq=False, slots=True)
class TensorRef:
    """A tensor of a model under construction.

    ``spread`` is an estimate of the root mean square of its real values, from which following
    layers choose scales.
    """

    tensor: Tensor
    subgraph_index: int
    spread: float = 1.0

    @property
    def index(self) -> int:
        return self.tensor.index

    @property
    def name(self) -> str:
        return self.tensor.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape

    @property
    def type(self) -> TensorType:
        return self.tensor.type

    @property
    def quantization(self) -> Quantization | None:
        return self.tensor.quantization

    @property
    def is_nonnegative(self) -> bool:
        """Whether its quantisation has no negative real value, as after a RELU."""
        if self.quantization is None or self.type not in _INTEGER_RANGES:
            return False
        return self.quantization.zero_point == _INTEGER_RANGES[self.type][0]


def tensor_type(type: Type) -> TensorType:
    """The element type of this name.

    Raises:
        UsageError: there is none.
    """
    if isinstance(type, TensorType):
        return type
    found = TensorType.__members__.get(type.upper())
    if found is None:
        known = ", ".join(name.lower() for name in TensorType.__members__)
        raise UsageError(f"unknown element type {type!r}; known: {known}")
    return found


def single_precision(value: float) -> float:
    """The nearest 32-bit float: scales are stored so, and must read back equal."""
    return float(np.float32(value))


_LEAST_SCALE = float(np.finfo(np.float32).tiny)


def range_quantization(type: TensorType, low: float, high: float) -> Quantization | None:
    """Quantisation of an activation whose real values lie in [low, high].

    int16 is symmetric with zero point 0, as its kernels demand; types other than int4, int8, uint8
    and int16 have none.
    """
    if type not in _INTEGER_RANGES:
        return None
    lowest, highest = _INTEGER_RANGES[type]
    if type == TensorType.INT16:
        return Quantization((_scale(max(-low, high) / highest),), (0,))
    scale = _scale((high - low) / (highest - lowest))
    zero_point = min(highest, max(lowest, round(lowest - low / scale)))
    return Quantization((scale,), (zero_point,))


def _scale(value: float) -> float:
    """The deeper a network, the less may be left of a range, but never nothing."""
    return max(_LEAST_SCALE, single_precision(value))


def stored_bytes(values: npt.NDArray[np.generic], type: TensorType) -> bytes:
    """The values as the file holds them: little-endian; INT4 two to a byte, the first one low.

    Raises:
        UsageError: the type cannot be stored, or a value does not fit it.
    """
    numpy_type = NUMPY_TYPES.get(type)
    if numpy_type is None:
        raise UsageError(f"constants of type {type.name.lower()} are not supported")
    converted = values.astype(numpy_type)
    if not np.issubdtype(converted.dtype, np.inexact) and not np.array_equal(converted, values):
        raise UsageError(f"a constant has values that do not fit the type {type.name.lower()}")
    if type != TensorType.INT4:
        return converted.tobytes()
    if converted.size and (converted.min() < -8 or converted.max() > 7):
        raise UsageError("a constant has values that do not fit the type int4 (-8 to 7)")
    return pack(converted, 4).tobytes()
