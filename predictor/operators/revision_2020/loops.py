"""How often kernels of mid-2020 run their loops, where these are others than their successors'.

Mirrors reference/integer_ops/conv.h and reference/strided_slice.h of that time, and
kernels/reshape.cc and concatenation.cc.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

from predictor.operators.context import NodeContext
from predictor.operators.loops import LoopCounter, Loops, conv, movement
from predictor.operators.loops.elements import kernel_name


def _conv(ctx: NodeContext) -> Loops | None:
    """The borders are tested for each channel, not for each tap."""
    made, filter = conv.loops(ctx), ctx.input(1)
    if made is None or filter is None:
        return made
    outside = next((term for term in made.terms if term.endswith(".outside")), None)
    if outside is not None:
        made.terms[f"{outside}_mac"] = made.terms[outside] * ctx.shape(filter)[3]
    return made


def _reshape(ctx: NodeContext) -> Loops | None:
    """Bytes are copied one by one."""
    output = ctx.output(0)
    if output is None:
        return None
    made = Loops()
    made.add("reshape_bytes", call=1, byte=ctx.runtime_bytes(output))
    return made


def _concatenation(ctx: NodeContext) -> Loops | None:
    """As today, but each shape is copied whole, whatever its rank."""
    made = movement.concatenation(ctx)
    if made is not None:
        made.terms.pop("concatenation.dim", None)
        copies = made.terms.get("concatenation.copy", 0)
        made.add("concatenation", line=copies // len(ctx.op.inputs))
    return made


def _strided_slice(ctx: NodeContext) -> Loops | None:
    """Element by element in five nested loops."""
    output = ctx.output(0)
    if output is None:
        return None
    shape, name = ctx.shape(output), kernel_name(ctx)
    made = Loops()
    made.add(name, call=1, element=prod(shape), row=prod(shape[:-1]), plane=prod(shape[:-2]))
    return made


LOOPS: Mapping[str, LoopCounter] = MappingProxyType(
    {
        "CONCATENATION": _concatenation,
        "CONV_2D": _conv,
        "RESHAPE": _reshape,
        "STRIDED_SLICE": _strided_slice,
    }
)
"""By operator."""
