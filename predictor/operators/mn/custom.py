"""The custom operators of device models. Mirrors firmware/mn_operators/custom_operators.cc.

All that an operator asks for follows from its options: Init allocates requantisation tables where
they lie in the arena, Prepare requests the kernel's scratch buffer. It looks at no tensor; what
would make the kernel leave one is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.errors import ModelError
from predictor.model.device.options import DeviceOptions, WeightedOptions
from predictor.model.device.reader import CODES, read_options
from predictor.model.device.stream import StreamOptions
from predictor.operators.access_order import InputOverlap
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.mn.contents import ORDINARY, contents_of
from predictor.operators.mn.loops import kernel_loops
from predictor.operators.mn.overlap import input_overlaps
from predictor.operators.mn.scratch import scratch_bytes
from predictor.operators.mn.stream import stream_loops
from predictor.operators.registry import OpCount, Overlay

OVERLAY = Overlay(__name__, CODES, runs_device_models=True)


_STREAM_DATA_BYTES = 8
"""What a group notes down: its scratch buffer's index and bytes."""


def options(ctx: NodeContext) -> DeviceOptions:
    """The node's options; refuses malformed ones."""
    if ctx.user is None:
        try:
            ctx.user = read_options(ctx.op.name, ctx.op.custom_options)
        except ModelError as error:
            ctx.refuse(str(error))
    found: DeviceOptions = ctx.user
    return found


def _init(ctx: NodeContext) -> None:
    found = options(ctx)
    if isinstance(found, WeightedOptions) and found.tables.arena_bytes:
        ctx.persistent(found.tables.arena_bytes)
    if isinstance(found, StreamOptions):
        ctx.persistent(_STREAM_DATA_BYTES)


def _prepare(ctx: NodeContext) -> None:
    found = options(ctx)
    ctx.ensure(len(ctx.op.outputs) == 1, f"it has {len(ctx.op.outputs)} outputs, not 1")
    inputs = len(found.tensor_bytes) - 1
    tensors = [ctx.need_input(position, temp=False) for position in range(inputs)]
    tensors.append(ctx.need_output(0, temp=False))
    for tensor, wanted in zip(tensors, found.tensor_bytes, strict=True):
        size = ctx.runtime_bytes(tensor)
        ctx.ensure(
            size == wanted,
            f"its options are for {wanted} bytes of tensor {tensor.name!r}, which has {size}",
        )
    size = scratch_bytes(found)
    if size:
        ctx.scratch(size)


def count(ctx: NodeContext) -> OpCount:
    """As the builtin operator's."""
    return OpCount(*options(ctx).work)


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    return input_overlaps(options(ctx))


def _loops(ctx: NodeContext) -> Loops | None:
    found = options(ctx)
    contents = ORDINARY
    if isinstance(found, StreamOptions):
        return stream_loops(found, ctx)
    if isinstance(found, WeightedOptions):
        contents = contents_of(ctx.subgraph, ctx.op, found)
    return kernel_loops(found, "custom", ctx.state, contents)


OVERLAY.register(
    *CODES,
    prepare=_prepare,
    count=count,
    init=_init,
    highest_version=1,
    overlap=_overlap,
    loops=_loops,
)
