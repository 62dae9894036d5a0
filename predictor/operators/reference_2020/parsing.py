"""Checks of ``ParseOpData``. Mirrors core/api/flatbuffer_conversions.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import int_option
from predictor.operators.context import NodeContext

_ELEMENT_TYPES = frozenset(
    (
        TensorType.FLOAT16,
        TensorType.FLOAT32,
        TensorType.FLOAT64,
        TensorType.INT16,
        TensorType.INT32,
        TensorType.UINT8,
        TensorType.INT8,
        TensorType.INT64,
        TensorType.STRING,
        TensorType.BOOL,
        TensorType.COMPLEX64,
    )
)


def check_element_type(ctx: NodeContext, table: str, field: str) -> None:
    """The parser refuses an element type that it does not know, even where nothing uses it."""
    value = int_option(ctx, table, field)
    ctx.ensure(
        value in _ELEMENT_TYPES, f"its option {field} is {value}, which this TFLM does not know"
    )
