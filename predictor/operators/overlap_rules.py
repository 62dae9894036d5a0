"""Rules on overlap that several families share: element by element, copies, and no copy at all."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import Tensor
from predictor.operators.access_order import InputOverlap, OverlapRule
from predictor.operators.context import NodeContext
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

ELEMENTWISE = "each element is read before its result is written, in rising order"
IN_PLACE_COPY = "copies nothing where output and input begin together"


def elementwise(*positions: int) -> OverlapRule:
    """For kernels that read the elements from which they compute one output, then write it.

    They go from the first element to the last. D is 0, or what the output runs ahead if its
    elements are larger. An input that is broadcast has another number of elements and no rule.
    """

    def rule(ctx: NodeContext) -> Sequence[InputOverlap]:
        output = ctx.output(0)
        if output is None:
            return ()
        found = []
        for position in positions:
            input = ctx.input(position)
            if input is not None and ctx.element_count(input) == ctx.element_count(output):
                found.append(InputOverlap(position, _run_ahead(ctx, input, output), ELEMENTWISE))
        return found

    return rule


def _run_ahead(ctx: NodeContext, input: Tensor, output: Tensor) -> int:
    """Bytes by which the output's last element begins further behind than the input's."""
    difference = RUNTIME_TYPE_BYTES[output.type] - RUNTIME_TYPE_BYTES[input.type]
    return max(0, (ctx.element_count(output) - 1) * difference)


def in_place_copy(ctx: NodeContext) -> Sequence[InputOverlap]:
    """For kernels that copy the first input to the output unless both are the same memory."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return ()
    if ctx.runtime_bytes(input) != ctx.runtime_bytes(output):
        return ()
    return (InputOverlap(0, 0, IN_PLACE_COPY, only_equal=True),)
