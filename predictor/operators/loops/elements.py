"""Operators that do the same for each element: activations, arithmetic, reductions."""

from __future__ import annotations

from functools import cache
from math import prod

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.quantized import scale

_BROADCASTING = frozenset(
    ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV",
     "FLOOR_MOD", "SELECT_V2", "PRELU", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER",
     "GREATER_EQUAL", "LOGICAL_AND", "LOGICAL_OR")
)  # fmt: skip


def loops(ctx: NodeContext) -> Loops | None:
    """A call and the elements of its outputs; broadcasting costs apart."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    name = kernel_name(ctx)
    shapes = [ctx.shape(tensor) for tensor in map(ctx.input, range(len(ctx.op.inputs))) if tensor]
    is_broadcast = ctx.op.name in _BROADCASTING and len(set(shapes)) > 1
    if is_broadcast:
        name += "_broadcast"
    made = Loops()
    made.add(name, call=1, element=_outputs(ctx))
    if is_broadcast:
        made.add(name, row=prod(ctx.shape(output)[:-1]))
    return made


def comparison(ctx: NodeContext) -> Loops | None:
    """EQUAL, LESS and the others, which share their loops for each type of inputs."""
    first = ctx.input(0)
    made = loops(ctx)
    if made is None or first is None:
        return None
    own, shared = kernel_name(ctx), f"comparison_{first.type.name.lower()}"
    made.terms = {term.replace(own, shared, 1): runs for term, runs in made.terms.items()}
    return made


def rescaling(ctx: NodeContext) -> Loops | None:
    """Elements that are multiplied by input scale / output scale: the code for factors from 1 on
    shifts to the left, that for lower ones to the right."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    made = Loops()
    direction = "left_shift" if scale(input) >= scale(output) else "right_shift"
    made.add(kernel_name(ctx), call=1, **{direction: _outputs(ctx)})
    return made


def sum_of_inputs(ctx: NodeContext) -> Loops | None:
    """ADD_N: a pass over the elements for each input."""
    if ctx.output(0) is None:
        return None
    inputs, elements = len(ctx.op.inputs), _outputs(ctx)
    made = Loops()
    made.add(kernel_name(ctx), call=1, input=inputs, element=elements, term=inputs * elements)
    return made


def rows(ctx: NodeContext) -> Loops | None:
    """A call, its rows along the last dimension, and their elements (softmax, normalisation)."""
    made, output = loops(ctx), ctx.output(0)
    if made is None or output is None:
        return None
    shape = ctx.shape(output)
    made.add(kernel_name(ctx), row=prod(shape[:-1]))
    return made


def reduction(ctx: NodeContext) -> Loops | None:
    """A call, the elements read and those written; indices carry into higher dimensions."""
    input, output, axis = ctx.input(0), ctx.output(0), ctx.input(1)
    if input is None or output is None or axis is None:
        return None
    shape = ctx.shape(input)
    made = Loops()
    elements = prod(shape)
    name = f"{kernel_name(ctx)}_rank{len(shape)}_axes{max(1, ctx.element_count(axis))}"
    carries = sum(prod(shape[:i]) for i in range(1, len(shape)))
    made.add(name, call=1, element=elements, carry=carries, result=ctx.element_count(output))
    return made


def kernel_name(ctx: NodeContext) -> str:
    """Operator and element types, which select the code that runs."""
    input, output = ctx.input(0), ctx.output(0)
    return _kernel_name(
        ctx.op.name, None if input is None else input.type, None if output is None else output.type
    )


@cache
def _kernel_name(operator: str, *types: TensorType | None) -> str:
    names = [type.name.lower() for type in types if type is not None]
    return "_".join([operator.lower(), *dict.fromkeys(names)])


def _outputs(ctx: NodeContext) -> int:
    tensors = (ctx.output(position) for position in range(len(ctx.op.outputs)))
    return sum(ctx.element_count(tensor) for tensor in tensors if tensor is not None)
