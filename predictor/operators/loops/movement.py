"""Operators that move elements: joining, cutting, padding, transposing. Follows TFLM's reference
kernels."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops, cycle
from predictor.operators.loops.c_library import copy
from predictor.operators.loops.elements import kernel_name
from predictor.operators.parsing import options_of
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

Shape = tuple[int, ...]


def reshape(ctx: NodeContext) -> Loops | None:
    """One copy; operators that take their input's memory copy nothing, which is not known here."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    made = Loops()
    if ctx.op.name == "EXPAND_DIMS":
        # Copies element by element.
        made.add(kernel_name(ctx), call=1, element=ctx.element_count(output))
        return made
    made.add("reshape", call=1, dimension=len(ctx.shape(input)))
    copy(made, 1, ctx.runtime_bytes(output))
    return made


def concatenation(ctx: NodeContext) -> Loops | None:
    """A copy for each input and each step of the dimensions before the axis."""
    output = ctx.output(0)
    inputs = [tensor for tensor in map(ctx.input, range(len(ctx.op.inputs))) if tensor]
    if output is None or not inputs:
        return None
    shape = ctx.shape(output)
    axis = options_of(ctx, "ConcatenationOptions").get("axis", 0) % max(1, len(shape))
    outer = prod(shape[:axis])
    made = Loops()
    made.add("concatenation", call=1, input=len(inputs), dim=len(inputs) * len(shape))
    made.add("concatenation", copy=outer * len(inputs))
    sizes = [ctx.runtime_bytes(tensor) // outer if outer else 0 for tensor in inputs]
    first = 0
    for size in sizes:
        _repeated_copies(made, outer, size, size, sum(sizes), target=first)
        first += size
    return made


def _repeated_copies(
    made: Loops, count: int, size: int, source_step: int, target_step: int, target: int = 0
) -> None:
    """``count`` copies whose addresses advance by steps; alignments repeat after four."""
    for start, copies in cycle(count):
        source = start * source_step % 4
        copy(made, copies, size, source, (target + start * target_step) % 4)


def split(ctx: NodeContext) -> Loops | None:
    """Blocks of elements, each to its output."""
    is_split_v = ctx.op.name == "SPLIT_V"
    input, axis, output = ctx.input(0 if is_split_v else 1), ctx.input(2 if is_split_v else 0), None
    output = ctx.output(0)
    if input is None or axis is None or output is None:
        return None
    values, shape = constant_values(ctx, axis), ctx.shape(input)
    if not values or not shape:
        return None
    outer, outputs = prod(shape[: int(values[0]) % len(shape)]), len(ctx.op.outputs)
    name = f"{ctx.op.name.lower()}_{input.type.name.lower()}"
    made = Loops()
    made.add(name, call=1, output=outputs, block=outer * outputs, element=prod(shape))
    return made


def pack(ctx: NodeContext) -> Loops | None:
    """PACK and UNPACK: blocks of elements."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    is_pack = ctx.op.name == "PACK"
    whole, count = (output, len(ctx.op.inputs)) if is_pack else (input, len(ctx.op.outputs))
    table = "PackOptions" if is_pack else "UnpackOptions"
    shape = ctx.shape(whole)
    axis = options_of(ctx, table).get("axis", 0) % max(1, len(shape))
    made = Loops()
    made.add(kernel_name(ctx), call=1, block=prod(shape[:axis]) * count, element=prod(shape))
    return made


def cut(ctx: NodeContext) -> Loops | None:
    """SLICE and STRIDED_SLICE: rows along the last dimension, or single elements."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None or not ctx.shape(input):
        return None
    elements, in_shape = ctx.element_count(output), ctx.shape(input)
    made = Loops()
    steps = _ints(ctx, 3) if ctx.op.name == "STRIDED_SLICE" else None
    name = ctx.op.name.lower()
    made.add(name, call=1)
    if steps and steps[-1] != 1:
        made.add(f"{kernel_name(ctx)}_steps", element=elements)
        return made
    out_shape = ctx.shape(output)
    row = out_shape[-1] if len(out_shape) == len(in_shape) else _last_row(ctx, in_shape)
    rows = elements // row if row else 0
    type_bytes = RUNTIME_TYPE_BYTES.get(input.type, 1)
    made.add(name, row=rows, line=rows // max(1, out_shape[-2] if len(out_shape) > 1 else 1))
    if ctx.op.name == "SLICE":
        made.add(kernel_name(ctx), element=elements)
        return made
    _repeated_copies(made, rows, row * type_bytes, in_shape[-1] * type_bytes, row * type_bytes)
    return made


def _last_row(ctx: NodeContext, in_shape: Shape) -> int:
    """Elements along the last dimension where a dimension of the result was dropped."""
    starts, ends = _ints(ctx, 1), _ints(ctx, 2)
    if not starts or not ends:
        return in_shape[-1]
    size = in_shape[-1]
    length = (ends[-1] % (size + 1)) - (starts[-1] % size if size else 0)
    return length if 0 < length <= size else size


def _ints(ctx: NodeContext, position: int) -> list[int] | None:
    tensor = ctx.input(position)
    values = constant_values(ctx, tensor) if tensor is not None else None
    return None if values is None else [int(value) for value in values]


def paddings_of(ctx: NodeContext) -> list[int] | None:
    """Constant elements before and behind each dimension; None where they are not constant."""
    return _ints(ctx, 1)


def pad(ctx: NodeContext) -> Loops | None:
    """Element by element."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    made = Loops()
    outside = max(0, ctx.element_count(output) - ctx.element_count(input))
    out_shape = ctx.shape(output)
    made.add(kernel_name(ctx), call=1, inside=ctx.element_count(input), outside=outside)
    made.add(kernel_name(ctx), row=prod(out_shape[:-1]))
    return made


def transpose(ctx: NodeContext) -> Loops | None:
    """Nested loops over the dimensions of the output."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    return nest(kernel_name(ctx), ctx.shape(output))


def nest(name: str, shape: Shape) -> Loops:
    """Nested loops over a tensor's dimensions."""
    made = Loops()
    rank = len(shape)
    made.add(name, call=1, dim=rank, element=prod(shape))
    if rank > 1:
        made.add(name, row=prod(shape[:-1]))
    if rank > 2:
        made.add(name, plane=prod(shape[:-2]))
    return made


def block_shuffle(ctx: NodeContext) -> Loops | None:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH: runs of elements are copied."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None:
        return None
    is_to_space = ctx.op.name == "DEPTH_TO_SPACE"
    table = "DepthToSpaceOptions" if is_to_space else "SpaceToDepthOptions"
    block = options_of(ctx, table).get("block_size", 1)
    deep: Tensor = input if is_to_space else output
    if len(ctx.shape(deep)) != 4:
        return None
    batches, height, width, _ = ctx.shape(deep)
    runs = batches * height * width * block
    made = Loops()
    made.add(ctx.op.name.lower(), call=1, line=batches * height, pixel=batches * height * width)
    made.add(ctx.op.name.lower(), run=runs)
    made.add(kernel_name(ctx), element=ctx.element_count(output))
    return made


def resize_nearest(ctx: NodeContext) -> Loops | None:
    """RESIZE_NEAREST_NEIGHBOR: a copy of each pixel's channels."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None or len(ctx.shape(output)) != 4:
        return None
    batches, height, width, depth = ctx.shape(output)
    pixels = batches * height * width
    made = Loops()
    made.add("resize_nearest", call=1, row=batches * height, pixel=pixels)
    size = depth * RUNTIME_TYPE_BYTES.get(output.type, 1)
    _repeated_copies(made, pixels, size, size, size)
    return made
