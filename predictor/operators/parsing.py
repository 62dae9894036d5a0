"""Options as TFLM's parsers read them. Mirrors core/api/flatbuffer_conversions.cc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext

ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_RELU_N1_TO_1, ACTIVATION_RELU6 = range(4)
_LAST_ACTIVATION = 5
_ELEMENT_TYPES = frozenset(int(kind) for kind in TensorType)


def options_of(ctx: NodeContext, table: str) -> Mapping[str, Any]:
    """The options where they are of the table that the parser expects, else none.

    Where they are of another table or absent, the parser leaves all fields zero.
    """
    return ctx.op.options_in(table)


def fused_activation(ctx: NodeContext, table: str) -> int:
    """The fused activation: none where it is missing or beyond the schema's values."""
    activation = int(options_of(ctx, table).get("fused_activation_function", ACTIVATION_NONE))
    return activation if 0 <= activation <= _LAST_ACTIVATION else ACTIVATION_NONE


def check_element_types(ctx: NodeContext, table: str, *fields: str) -> None:
    """The parser refuses element types that it does not know, even where nothing uses them."""
    options = options_of(ctx, table)
    for field in fields:
        value = int(options.get(field, 0))
        if value not in _ELEMENT_TYPES:
            ctx.refuse(f"its option {field} is {value}, which is no element type")
