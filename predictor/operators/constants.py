"""Values of constant tensors, for kernels that read them during Prepare."""

from __future__ import annotations

import struct
from typing import Any

from predictor.errors import ModelError
from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext

_CODES = {
    TensorType.FLOAT32: "f",
    TensorType.INT8: "b",
    TensorType.INT16: "h",
    TensorType.INT32: "i",
    TensorType.INT64: "q",
}
MOST_VALUES = 1 << 22
"""Values that the operators of a model read before they run, at most: many may share a constant."""


def constant_values(ctx: NodeContext, tensor: Tensor) -> tuple[int, ...] | tuple[float, ...] | None:
    """The elements of a constant tensor.

    None where the tensor is computed, has another type, or where the file holds fewer bytes than
    the shape needs (TFLM would read on into whatever follows).

    Raises:
        ModelError: the operators of the model read too many values.
    """
    code = _CODES.get(tensor.type)
    if tensor.data is None or code is None:
        return None
    elements = ctx.element_count(tensor)
    if tensor.data.nbytes < elements * struct.calcsize(code):
        return None
    return read_values(ctx, tensor.data, code, elements)


def read_values(ctx: NodeContext, data: memoryview, code: str, count: int) -> tuple[Any, ...]:
    """The first values of a constant's bytes, of the type that ``struct`` calls ``code``.

    Raises:
        ModelError: the operators of the model read too many values.
    """
    ctx.state.values_read += count
    if ctx.state.values_read > MOST_VALUES:
        raise ModelError(
            f"its operators read more than {MOST_VALUES:,} values of constants before they run, "
            "as no model for a microcontroller does"
        )
    return struct.unpack_from(f"<{count}{code}", data)
