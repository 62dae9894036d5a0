"""VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE. Mirrors kernels/var_handle.cc, read_variable.cc,
assign_variable.cc and micro_resource_variable.cc.

An application that runs such models creates a ``MicroResourceVariables`` in the arena, before
the interpreter; :func:`resource_variable_bytes` says what that takes.
"""

from __future__ import annotations

from collections.abc import Callable

from predictor.model.graph import TensorType
from predictor.operators.checks import constant_int32, need_counts
from predictor.operators.context import GraphState, NodeContext
from predictor.operators.evaluation import allocates
from predictor.operators.loops import control_flow as loops
from predictor.operators.parsing import options_of
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, count_nothing, count_outputs
from predictor.operators.sizes import runtime_bytes

_IDS = "resource ids"
_ALLOCATED = "allocated resources"


def resource_variable_bytes(state: GraphState, sizeof: Callable[[str], int]) -> tuple[int, ...]:
    """Bytes of each ``AllocatePersistentBuffer`` of ``MicroResourceVariables::Create``, for as many
    variables as the application makes room for."""
    limit = state.resource_limit
    count = len(state.resources) if limit is None else limit
    return (
        sizeof("MicroResourceVariables"),
        sizeof("MicroResourceVariable") * count,
    )


def _resource_id(ctx: NodeContext) -> int:
    """Mirrors ``CreateIdIfNoneFound``: equal names share a variable, a null container any."""
    options = options_of(ctx, "VarHandleOptions")
    container, name = options.get("container"), options.get("shared_name")
    resources = ctx.state.resources
    if name is None and resources:
        ctx.inexact("it has no shared_name: TFLM compares a null pointer with the others'")
    for (known_container, known_name), known in resources.items():
        if known_name == (name or "") and container in (None, known_container):
            return known
    limit = ctx.state.resource_limit
    ctx.ensure(
        limit is None or len(resources) < limit,
        f"the model has more than {limit} resource variables: make room for all of them in "
        "MicroResourceVariables::Create (--resource-variables)",
    )
    resources[container or "", name or ""] = len(resources)
    return len(resources) - 1


def _prepare_var_handle(ctx: NodeContext) -> None:
    handle = _resource_id(ctx)
    output = ctx.need_output(0, temp=False)
    ctx.set_data(output)
    ctx.state.shared.setdefault(_IDS, {})[ctx.subgraph.index, output.index] = handle


def _prepare_read_variable(ctx: NodeContext) -> None:
    ctx.need_input(0)
    ctx.need_output(0, temp=False)


def _prepare_assign_variable(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 0)
    handle_tensor = ctx.need_input(0, temp=False)
    ctx.ensure_type(handle_tensor, TensorType.RESOURCE, TensorType.INT32)
    ctx.ensure(ctx.element_count(handle_tensor) == 1, "the resource id must be one value")
    value = ctx.need_input(1)
    ids: dict[tuple[int, int], int] = ctx.state.shared.get(_IDS, {})
    handle = ids.get((ctx.subgraph.index, handle_tensor.index))
    if handle is None and handle_tensor.is_constant:
        (handle,) = constant_int32(ctx, handle_tensor, 1)
    if handle is None:
        # The id comes from another subgraph; TFLM takes it to be assigned there, too.
        return
    ctx.ensure(0 <= handle < len(ctx.state.resources), f"resource variable {handle} is absent")
    allocated: set[int] = ctx.state.shared.setdefault(_ALLOCATED, set())
    if handle not in allocated:
        allocated.add(handle)
        # The size is that of the shape in the file, even where a kernel has replaced it.
        ctx.persistent(runtime_bytes(value, value.shape))


def count_assigned(ctx: NodeContext) -> OpCount:
    """One elementary operation for each element assigned."""
    value = ctx.input(1)
    return OpCount(0, 0 if value is None else ctx.element_count(value))


register(
    "VAR_HANDLE",
    params="TfLiteVarHandleParams",
    init=allocates("OpDataVarHandle"),
    prepare=_prepare_var_handle,
    count=count_nothing,
    loops=loops.call,
    application_bytes=resource_variable_bytes,
    has_effects=True,
)
register(
    "READ_VARIABLE",
    prepare=_prepare_read_variable,
    count=count_outputs,
    loops=loops.read_variable,
    application_bytes=resource_variable_bytes,
    has_effects=True,
)
register(
    "ASSIGN_VARIABLE",
    prepare=_prepare_assign_variable,
    count=count_assigned,
    loops=loops.assign_variable,
    application_bytes=resource_variable_bytes,
    has_effects=True,
)
