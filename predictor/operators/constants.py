"""Values of constant tensors, for kernels that read them during Prepare."""

from __future__ import annotations

import numpy as np

from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext

_DTYPES = {
    TensorType.FLOAT32: "<f4",
    TensorType.INT8: "<i1",
    TensorType.INT16: "<i2",
    TensorType.INT32: "<i4",
    TensorType.INT64: "<i8",
}


def constant_values(ctx: NodeContext, tensor: Tensor) -> list[int] | list[float] | None:
    """The elements of a constant tensor.

    None where the tensor is computed, has another type, or where the file holds fewer bytes than
    the shape needs (TFLM would read on into whatever follows).
    """
    dtype = _DTYPES.get(tensor.type)
    if tensor.data is None or dtype is None:
        return None
    elements = ctx.element_count(tensor)
    if tensor.data.nbytes < elements * np.dtype(dtype).itemsize:
        return None
    values: list[int] | list[float] = np.frombuffer(tensor.data, dtype, elements).tolist()
    return values
