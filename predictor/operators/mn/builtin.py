"""Builtin operators of current TFLM, registered with these kernels.

Mirrors firmware/mn_operators/builtin_operators.cc and builtin_elementwise.cc. They take INT8
activations; Prepare computes what a custom operator's options hold and keeps it in the arena, in
the same layout.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.device.names import WEIGHTED
from predictor.model.device.options import DeviceOptions, WeightedOptions
from predictor.operators.access_order import InputOverlap
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.mn.contents import ORDINARY, contents_of
from predictor.operators.mn.loops import kernel_loops
from predictor.operators.mn.overlap import input_overlaps
from predictor.operators.mn.scratch import scratch_bytes
from predictor.operators.mn.tables import BUILTIN, drop_in_options, runs_builtin
from predictor.operators.parsing import check_element_types
from predictor.operators.quantized import INT32_BYTES
from predictor.operators.registry import Overlay

_BIAS_TYPE_OF = {"CONV_2D": "Conv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}
_TWO_INPUTS = ("ADD", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "PAD", "PADV2", "SUB")

OVERLAY = Overlay(__name__, BUILTIN, serves=runs_builtin)


def options(ctx: NodeContext) -> DeviceOptions:
    """What the node's kernel takes; refuses what it does not."""
    if ctx.user is None:
        ctx.user = drop_in_options(ctx.subgraph, ctx.op)
    found: DeviceOptions = ctx.user
    return found


def _prepare_weighted(ctx: NodeContext) -> None:
    if ctx.op.name in _BIAS_TYPE_OF:
        check_element_types(ctx, _BIAS_TYPE_OF[ctx.op.name], "quantized_bias_type")
    ctx.need_input(0)
    ctx.need_input(1)
    ctx.temp_input(2)
    ctx.need_output(0)
    found = options(ctx)
    ctx.persistent(INT32_BYTES + len(found.pack()))
    size = scratch_bytes(found)
    if size:
        ctx.scratch(size)


def _prepare_unweighted(ctx: NodeContext) -> None:
    ctx.need_input(0)
    if ctx.op.name in _TWO_INPUTS:
        ctx.need_input(1)
    ctx.temp_input(2)
    ctx.need_output(0)
    ctx.persistent(len(options(ctx).pack()))


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    return input_overlaps(options(ctx))


def _loops(ctx: NodeContext) -> Loops | None:
    found = options(ctx)
    contents = ORDINARY
    if isinstance(found, WeightedOptions):
        contents = contents_of(ctx.subgraph, ctx.op, found)
    return kernel_loops(found, "builtin", ctx.state, contents)


for _name in BUILTIN:
    OVERLAY.register(
        _name,
        init=None,
        prepare=_prepare_weighted if _name in WEIGHTED else _prepare_unweighted,
        overlap=_overlap,
        loops=_loops,
    )
