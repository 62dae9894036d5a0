"""IF, WHILE, CALL_ONCE and resource variables: copies of tensors around the subgraphs they run.

What these subgraphs themselves take is not part of it (``predictor.semantics.execution``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from predictor.model.graph import Tensor
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.loops.c_library import copy


def branch(ctx: NodeContext) -> Loops | None:
    """IF: its inputs but the condition go to a branch, whose outputs come back."""
    inputs, outputs = _tensors(ctx)
    made = Loops()
    made.add("if", call=1, input=len(inputs) - 1, output=len(outputs))
    _copies(made, ctx, [*inputs[1:], *outputs])
    return made


def loop(ctx: NodeContext) -> Loops | None:
    """WHILE before its first round: inputs go to the condition and to the outputs."""
    inputs, _ = _tensors(ctx)
    made = Loops()
    made.add("while", call=1, tensor=len(inputs))
    _copies(made, ctx, [*inputs, *inputs])
    return made


def loop_round(ctx: NodeContext) -> Loops | None:
    """A round of WHILE: outputs go to the body, come back, and go to the condition."""
    inputs, _ = _tensors(ctx)
    made = Loops()
    made.add("while", round=1, round_tensor=len(inputs))
    _copies(made, ctx, 3 * inputs)
    return made


def call(ctx: NodeContext) -> Loops | None:
    """A call and nothing else: CALL_ONCE after its first run, VAR_HANDLE."""
    made = Loops()
    made.add(ctx.op.name.lower(), call=1)
    return made


def read_variable(ctx: NodeContext) -> Loops | None:
    """READ_VARIABLE: one copy of the variable."""
    return _access(ctx, ctx.output(0))


def assign_variable(ctx: NodeContext) -> Loops | None:
    """ASSIGN_VARIABLE: one copy to the variable."""
    return _access(ctx, ctx.input(1))


def _access(ctx: NodeContext, tensor: Tensor | None) -> Loops | None:
    made = call(ctx)
    if made is not None and tensor is not None:
        _copies(made, ctx, [tensor])
    return made


def _tensors(ctx: NodeContext) -> tuple[list[Tensor], list[Tensor]]:
    inputs = map(ctx.input, range(len(ctx.op.inputs)))
    outputs = map(ctx.output, range(len(ctx.op.outputs)))
    return [item for item in inputs if item], [item for item in outputs if item]


def _copies(made: Loops, ctx: NodeContext, tensors: Iterable[Tensor]) -> None:
    for size, count in Counter(map(ctx.runtime_bytes, tensors)).items():
        copy(made, count, size)
