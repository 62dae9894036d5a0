"""What is certain about an operator's Eval before it runs, and Inits that many operators share."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.registry import Step


def allocates(struct: str) -> Step:
    """An Init that allocates one C struct and does nothing else."""

    def init(ctx: NodeContext) -> None:
        ctx.persistent_struct(struct)

    return init


def runs_on(ctx: NodeContext, tensor: Tensor, *types: TensorType) -> None:
    """Eval takes these types of a tensor and returns an error on all others."""
    if tensor.type not in types:
        names = ", ".join(kind.name for kind in types)
        ctx.fails_at_invoke(f"it runs on {names} only, not on {tensor.type.name}")


def aborts_beyond_rank(ctx: NodeContext, limit: int, *tensors: Tensor) -> None:
    """Eval extends the shapes to ``limit`` dimensions, and aborts on shapes that have more."""
    rank = max(len(ctx.shape(tensor)) for tensor in tensors)
    if rank > limit:
        ctx.fails_at_invoke(
            f"TFLM aborts when it runs on {rank} dimensions; it takes {limit} at most"
        )


def unchecked_tensors(ctx: NodeContext, inputs: int) -> tuple[Tensor, ...] | None:
    """Inputs and first output of an operator without Prepare.

    TFLM does not notice there that one is missing; Eval then reads through a null pointer.
    """
    tensors = [ctx.input(position) for position in range(inputs)]
    tensors.append(ctx.output(0))
    found = tuple(tensor for tensor in tensors if tensor is not None)
    if len(found) == len(tensors):
        return found
    ctx.fails_at_invoke("an input or the output is missing, and TFLM does not check for that")
    return None
