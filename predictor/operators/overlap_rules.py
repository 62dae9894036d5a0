"""Rules on overlap that several families share: element by element, and no copy at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from predictor.operators.access_order import InputOverlap, OverlapRule
from predictor.operators.context import NodeContext

ELEMENTWISE = "each element is read before its result is written, in rising order"
IN_PLACE_COPY = "copies nothing where output and input begin together"


def elementwise(*positions: int) -> OverlapRule:
    """D = 0 for the inputs that have the output's shape and element size.

    For kernels that read the elements with which they compute one output, then write it, from the
    first to the last.
    """

    def rule(ctx: NodeContext) -> Sequence[InputOverlap]:
        return tuple(_same_layout(ctx, positions, ELEMENTWISE))

    return rule


def in_place_copy(ctx: NodeContext) -> Sequence[InputOverlap]:
    """For kernels that copy the first input to the output unless both are the same memory."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return ()
    if ctx.runtime_bytes(input) != ctx.runtime_bytes(output):
        return ()
    return (InputOverlap(0, 0, IN_PLACE_COPY, only_equal=True),)


def _same_layout(ctx: NodeContext, positions: Sequence[int], reason: str) -> Iterator[InputOverlap]:
    output = ctx.output(0)
    for position in positions:
        input = ctx.input(position)
        if input is None or output is None:
            continue
        if ctx.shape(input) == ctx.shape(output) and ctx.runtime_bytes(input) == ctx.runtime_bytes(
            output
        ):
            yield InputOverlap(position, 0, reason)
