"""Checks that many Prepare functions make, and constants that they read."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.constants import read_values
from predictor.operators.context import NodeContext
from predictor.operators.parsing import options_of

Spec = tuple[TensorType, int | None]
"""Element type and number of dimensions (None: any) that TFLM demands of a tensor."""

INT32_MAX = 2**31 - 1
MAX_RUNTIME_SHAPE_RANK = 6
"""Dimensions for which TFLM's ``RuntimeShape`` has room."""


def int_option(ctx: NodeContext, table: str, name: str) -> int:
    """An integer, enum or bool of the builtin options, 0 where the table is absent."""
    return int(options_of(ctx, table).get(name, 0))


def need_counts(ctx: NodeContext, inputs: int | tuple[int, ...], outputs: int) -> None:
    """Refuses an operator that has another number of inputs or outputs."""
    allowed = (inputs,) if isinstance(inputs, int) else inputs
    if len(ctx.op.inputs) in allowed and len(ctx.op.outputs) == outputs:
        return
    has = f"it has {len(ctx.op.inputs)} inputs and {len(ctx.op.outputs)} outputs"
    ctx.refuse(f"{has}, not {' or '.join(map(str, allowed))} and {outputs}")


def need_one_of_each(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    """Input and output of an operator that has one of each; refuses any other."""
    need_counts(ctx, 1, 1)
    return ctx.need_input(0), ctx.need_output(0)


def ensure_same_type(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    """Refuses two tensors of different element types. Mirrors ``TF_LITE_ENSURE_TYPES_EQ``."""
    if input.type != output.type:
        ctx.refuse(
            f"tensors {input.name!r} and {output.name!r} must have one type, not "
            f"{input.type.name} and {output.type.name}"
        )


def ensure_same_types(ctx: NodeContext, first: Tensor, *others: Tensor) -> None:
    """Refuses tensors of another element type than the first's."""
    for other in others:
        ensure_same_type(ctx, first, other)


def ensure_rank(ctx: NodeContext, tensor: Tensor, least: int, most: int | None = None) -> None:
    """Refuses a tensor whose number of dimensions is not ``least`` (to ``most``)."""
    rank = len(ctx.shape(tensor))
    most = least if most is None else most
    if not least <= rank <= most:
        words = f"{least}" if least == most else f"{least} to {most}"
        ctx.refuse(f"tensor {tensor.name!r} needs {words} dimensions, not {rank}")


def check_tensors(ctx: NodeContext, inputs: tuple[Spec, ...], outputs: tuple[Spec, ...]) -> None:
    """Number, type and dimensions of all tensors; each is looked at once, inputs first."""
    need_counts(ctx, len(inputs), len(outputs))
    tensors = [ctx.need_input(position) for position in range(len(inputs))]
    tensors += [ctx.need_output(position) for position in range(len(outputs))]
    for tensor, (kind, rank) in zip(tensors, inputs + outputs, strict=True):
        if rank is not None:
            ensure_rank(ctx, tensor, rank)
        ctx.ensure_type(tensor, kind)


def ensure_constant(ctx: NodeContext, tensor: Tensor, what: str) -> None:
    """Refuses a tensor that is not constant. Mirrors a check of ``IsConstantTensor``."""
    if not tensor.is_constant:
        ctx.refuse(f"its {what} (tensor {tensor.name!r}) must be constant")


def constant_int32(ctx: NodeContext, tensor: Tensor, count: int) -> tuple[int, ...]:
    """The first ``count`` values of a constant, read as int32 whatever its type, as TFLM does."""
    return _constant(ctx, tensor, count, "i", 4)


def constant_ints(ctx: NodeContext, tensor: Tensor, count: int) -> tuple[int, ...]:
    """The first ``count`` values of a constant that is int32 or int64."""
    if tensor.type == TensorType.INT32:
        return _constant(ctx, tensor, count, "i", 4)
    return _constant(ctx, tensor, count, "q", 8)


def _constant(
    ctx: NodeContext, tensor: Tensor, count: int, code: str, size: int
) -> tuple[int, ...]:
    if count == 0:
        return ()
    if tensor.data is None:
        ctx.refuse(f"tensor {tensor.name!r} must be constant: TFLM reads it during Prepare")
    if tensor.data.nbytes < count * size:
        ctx.refuse(
            f"TFLM reads {count * size} bytes of tensor {tensor.name!r}, "
            f"of which the file holds {tensor.data.nbytes}"
        )
    return read_values(ctx, tensor.data, code, count)


def check_runtime_shape(ctx: NodeContext, *tensors: Tensor) -> None:
    """Warns of shapes that do not fit TFLM's ``RuntimeShape``, which does not check its rank."""
    for tensor in tensors:
        rank = len(ctx.shape(tensor))
        if rank > MAX_RUNTIME_SHAPE_RANK:
            ctx.inexact(
                f"tensor {tensor.name!r} has {rank} dimensions: TFLM copies them into room for "
                f"{MAX_RUNTIME_SHAPE_RANK} on its stack and goes on in an unknown state"
            )


def divide(dividend: int, divisor: int) -> int:
    """C's division as Arm carries it out: towards zero, and 0 for a divisor of 0."""
    if divisor == 0:
        return 0
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def buffer_bytes(ctx: NodeContext, count: int, element_bytes: int) -> int:
    """Size of a buffer of which the options tell the elements."""
    size = count * element_bytes
    ctx.ensure(0 <= size <= INT32_MAX, f"its options ask for a buffer of {size} bytes")
    return size


def persistent_elements(ctx: NodeContext, count: int, element_bytes: int) -> None:
    """A buffer whose size comes from the options."""
    ctx.persistent(buffer_bytes(ctx, count, element_bytes))


def writable_dims(ctx: NodeContext, tensor: Tensor, written: int) -> None:
    """Mirrors ``CreateWritableTensorDimsWithCopy``: moves a tensor's dims to the arena.

    The copy has as many dims as the file gives the tensor. ``written`` is how many the kernel
    then writes: some kernels write more than there is room for.
    """
    capacity = len(ctx.shape(tensor))
    ctx.persistent(4 + 4 * capacity)
    if written > capacity:
        ctx.inexact(
            f"TFLM writes {written} dims to tensor {tensor.name!r}, which has {capacity} in the "
            "file, and so may overwrite other memory of the arena"
        )
