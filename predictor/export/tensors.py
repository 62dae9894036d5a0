"""A model's inputs and outputs as C++ sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictor.errors import UsageError
from predictor.model.graph import Graph, Tensor, TensorType

_C_TYPES = {
    TensorType.BOOL: "bool",
    TensorType.FLOAT32: "float",
    TensorType.INT8: "int8_t",
    TensorType.INT16: "int16_t",
    TensorType.INT32: "int32_t",
    TensorType.INT64: "int64_t",
    TensorType.UINT8: "uint8_t",
    TensorType.UINT32: "uint32_t",
}
_BYTES_PER_LINE = 16


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. ``name`` is "Input0" and the like; ``index`` counts those of its kind."""

    name: str
    index: int
    tensor: Tensor

    @property
    def c_type(self) -> str:
        return _C_TYPES[self.tensor.type]

    @property
    def elements(self) -> int:
        return self.tensor.elements

    @property
    def is_quantized(self) -> bool:
        tensor = self.tensor
        is_integer = tensor.type in (TensorType.INT8, TensorType.UINT8, TensorType.INT16)
        return is_integer and tensor.quantization is not None

    @property
    def scale(self) -> str:
        """The scale as a C literal that gives the same float."""
        found = self.tensor.quantization
        return f"{float.hex(float(np.float32(found.scale)))}f" if found else "1.0f"

    @property
    def zero_point(self) -> int:
        return self.tensor.quantization.zero_point if self.tensor.quantization else 0

    @property
    def words(self) -> str:
        """Name, type, shape and quantisation, for a comment."""
        tensor = self.tensor
        text = f"{tensor.name!r}, {tensor.type.name} {list(tensor.shape)}"
        if self.is_quantized and tensor.quantization is not None:
            text += f", scale {tensor.quantization.scale:.6g}, zero point {self.zero_point}"
        return text


def ports(graph: Graph, kind: str) -> tuple[Port, ...]:
    """The model's "Input" or "Output" tensors.

    Raises:
        UsageError: one has a type for which C++ has none.
    """
    indices = graph.main.inputs if kind == "Input" else graph.main.outputs
    found = tuple(
        Port(f"{kind}{position}", position, graph.main.tensors[index])
        for position, index in enumerate(indices)
    )
    for port in found:
        if port.tensor.type not in _C_TYPES:
            raise UsageError(
                f"{kind.lower()} {port.index} is {port.tensor.type.name}, for which C++ has no "
                "type: convert the model with another type there"
            )
    return found


def byte_lines(content: bytes) -> Iterator[str]:
    """The elements of an array of bytes, some on a line."""
    for start in range(0, len(content), _BYTES_PER_LINE):
        yield " ".join(f"0x{byte:02x}," for byte in content[start : start + _BYTES_PER_LINE])


def joined(arrays: Sequence[npt.NDArray[np.generic]]) -> bytes:
    """Arrays one after the other, as they lie in memory."""
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
