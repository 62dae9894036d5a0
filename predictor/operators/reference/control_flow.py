"""IF, WHILE, CALL_ONCE. Mirrors kernels/if.cc, while.cc and call_once.cc.

What the called subgraphs need is planned by ``predictor.memory.lifetimes``.
"""

from __future__ import annotations

from predictor.model.graph import Subgraph, Tensor, TensorType
from predictor.operators.checks import int_option
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates
from predictor.operators.loops import control_flow as loops
from predictor.operators.reference import register
from predictor.operators.registry import count_nothing
from predictor.operators.sizes import runtime_bytes


def _called_subgraph(ctx: NodeContext, table: str, name: str) -> Subgraph:
    index = int_option(ctx, table, name)
    count = len(ctx.graph.subgraphs)
    ctx.ensure(0 <= index < count, f"its {name} is {index}, the model has {count} subgraphs")
    return ctx.graph.subgraphs[index]


def _check_calls(
    ctx: NodeContext, called: Subgraph, inputs: int, outputs: int | None = None
) -> None:
    """Refuses a subgraph that takes or gives another number of tensors than the operator."""
    ctx.ensure(
        len(called.inputs) == inputs,
        f"it passes {inputs} tensors to subgraph {called.index}, which takes {len(called.inputs)}",
    )
    ctx.ensure(
        outputs is None or len(called.outputs) == outputs,
        f"it takes {outputs} tensors from subgraph {called.index}, which gives "
        f"{len(called.outputs)}",
    )


def _bytes_in(ctx: NodeContext, called: Subgraph, index: int) -> int:
    tensor = called.tensors[index]
    return runtime_bytes(tensor, ctx.state.shapes.get((called.index, index), tensor.shape))


def _takes_inputs(ctx: NodeContext, called: Subgraph, first: int) -> bool:
    """Mirrors ``CopyOpInputsToSubgraphInputs``: numbers and sizes must be equal."""
    tensors = [ctx.input(position) for position in range(first, len(ctx.op.inputs))]
    return _suit(ctx, tensors, called, called.inputs)


def _gives_outputs(ctx: NodeContext, called: Subgraph) -> bool:
    """Mirrors ``CopySubgraphOutputsToOpOutputs``, which takes a subgraph without outputs, too."""
    tensors = [ctx.output(position) for position in range(len(ctx.op.outputs))]
    return not called.outputs or _suit(ctx, tensors, called, called.outputs)


def _suit(
    ctx: NodeContext, tensors: list[Tensor | None], called: Subgraph, indices: tuple[int, ...]
) -> bool:
    sizes = [None if tensor is None else ctx.runtime_bytes(tensor) for tensor in tensors]
    return sizes == [_bytes_in(ctx, called, index) for index in indices]


def _prepare_if(ctx: NodeContext) -> None:
    condition = ctx.need_input(0)
    ctx.ensure_type(condition, TensorType.BOOL)
    ctx.ensure(ctx.element_count(condition) == 1, "the condition must be one value")
    then_branch = _called_subgraph(ctx, "IfOptions", "then_subgraph_index")
    else_branch = _called_subgraph(ctx, "IfOptions", "else_subgraph_index")
    # TFLM does not look at the number of tensors of the other branch.
    _check_calls(ctx, then_branch, len(ctx.op.inputs) - 1, len(ctx.op.outputs))
    if not any(
        _takes_inputs(ctx, branch, 1) and _gives_outputs(ctx, branch)
        for branch in (then_branch, else_branch)
    ):
        ctx.fails_at_invoke("tensors of both branches differ in size from its own")


def _prepare_while(ctx: NodeContext) -> None:
    inputs, outputs = len(ctx.op.inputs), len(ctx.op.outputs)
    condition = _called_subgraph(ctx, "WhileOptions", "cond_subgraph_index")
    body = _called_subgraph(ctx, "WhileOptions", "body_subgraph_index")
    _check_calls(ctx, condition, inputs)
    _check_calls(ctx, body, inputs, outputs)
    ctx.ensure(inputs == outputs, f"it has {inputs} inputs and {outputs} outputs")
    if not _takes_inputs(ctx, condition, 0):
        ctx.fails_at_invoke("inputs of its condition differ in size from its own")
    for position in range(inputs):
        input, output = ctx.input(position), ctx.need_output(position, temp=False)
        if input is None or ctx.runtime_bytes(input) != ctx.runtime_bytes(output):
            ctx.fails_at_invoke(f"input and output {position} differ in size")


def _prepare_call_once(ctx: NodeContext) -> None:
    ctx.ensure(not ctx.op.inputs and not ctx.op.outputs, "it must have no inputs or outputs")
    _called_subgraph(ctx, "CallOnceOptions", "init_subgraph_index")


register(
    "IF",
    params="TfLiteIfParams",
    init=allocates("OpDataIf"),
    prepare=_prepare_if,
    count=count_nothing,
    loops=loops.branch,
    has_effects=True,
)
register(
    "WHILE",
    params="TfLiteWhileParams",
    init=allocates("OpDataWhile"),
    prepare=_prepare_while,
    count=count_nothing,
    loops=loops.loop,
    round_loops=loops.loop_round,
    has_effects=True,
)
register(
    "CALL_ONCE",
    params="TfLiteCallOnceParams",
    init=allocates("OpDataCallOnce"),
    prepare=_prepare_call_once,
    count=count_nothing,
    loops=loops.call,
    has_effects=True,
)
