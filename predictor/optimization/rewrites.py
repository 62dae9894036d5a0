"""The same model in operators that an older TFLM takes, equal to the bit.

Each rewrite is tried where that TFLM refuses a model, or fails when it runs:

- a convolution without bias gets one of zeros, which TFLM of 2023 needs;
- EXPAND_DIMS and SQUEEZE become RESHAPE, which copies any type as it is;
- QUANTIZE of uint8 or int8 to int8 of the same scale, which TFLM of 2020 lacks, goes by float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.revision import Revision
from predictor.model.graph import NO_OPTIONS, Graph, Operator, Quantization, Tensor, TensorType
from predictor.optimization.compaction.surgery import Draft

_BIAS_POSITION = 2
_BIAS_TYPES: Mapping[TensorType, TensorType] = {
    TensorType.FLOAT32: TensorType.FLOAT32,
    TensorType.INT8: TensorType.INT32,
    TensorType.INT16: TensorType.INT64,
}
"""Type of the bias by that of the activations."""
_CONVOLUTIONS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Dimension of the filter that counts the output channels."""
_RESHAPES = ("EXPAND_DIMS", "SQUEEZE")
_BYTES = {TensorType.INT8: np.int8, TensorType.UINT8: np.uint8}
_BIAS, _RESHAPE = "a bias of zeros", "RESHAPE in its place"
_BY_FLOAT = "DEQUANTIZE and QUANTIZE in its place"


def rewritten_for(graph: Graph, revision: Revision) -> tuple[Graph, tuple[str, ...]]:
    """A model of which ``revision`` takes more, and what was done to which operator.

    The graph itself where nothing had to change, or where no rewrite helps. Operators of other
    subgraphs than the main one stay as they are.
    """
    done: dict[int, str] = {}
    origins = list(range(len(graph.main.operators)))
    # A refusal names one operator of each kind, so that further ones show when it is gone.
    while (changed := _round(graph, revision, origins, done)) is not None:
        graph = changed
    return graph, tuple(done[index] for index in sorted(done))


def _round(
    graph: Graph, revision: Revision, origins: list[int], done: dict[int, str]
) -> Graph | None:
    """The graph with what is refused now rewritten; None where no rewrite helps.

    ``origins`` are the indices that its operators had at first.
    """
    draft, before = Draft(graph), len(done)
    # From the last, so that what is put before an operator moves none that is still to come.
    for index in sorted(_stopped(graph, revision), reverse=True):
        op, count = graph.main.operators[index], len(draft.operators)
        how = _rewrite(draft, op)
        if how:
            first = origins[index]
            done[first] = f"operator {first} ({op.label}): {how}"
            origins[index : index + 1] = [first] * (1 + len(draft.operators) - count)
    return draft.graph() if len(done) > before else None


def _stopped(graph: Graph, revision: Revision) -> Iterable[int]:
    """Operators of the main subgraph that TFLM refuses, or that fail when they run."""
    try:
        prepared = arena(graph, revision).prepared
    except RefusedError as error:
        refused = [item for item in (error, *error.more) if item.subgraph_index == 0]
        return {item.operator_index for item in refused if item.operator_index is not None}
    nodes = (node for node in prepared.nodes if node.context.subgraph.index == 0)
    return {node.context.op.index for node in nodes if node.context.invoke_errors}


def _rewrite(draft: Draft, op: Operator) -> str:
    """Replaces the operator in ``draft`` where one of the rewrites suits it; says which did."""
    if op.name in _CONVOLUTIONS and _lacks_bias(op):
        return _BIAS if _add_bias(draft, op) else ""
    if op.name in _RESHAPES:
        return _RESHAPE if _reshape(draft, op) else ""
    if op.name == "QUANTIZE":
        return _BY_FLOAT if _go_by_float(draft, op) else ""
    return ""


def _lacks_bias(op: Operator) -> bool:
    return len(op.inputs) <= _BIAS_POSITION or op.inputs[_BIAS_POSITION] < 0


def _add_bias(draft: Draft, op: Operator) -> bool:
    input, filter = draft.tensors[op.inputs[0]], draft.tensors[op.inputs[1]]
    kind = _BIAS_TYPES.get(input.type)
    if kind is None or len(filter.shape) != 4:
        return False
    channels = filter.shape[_CONVOLUTIONS[op.name]]
    bias = replace(filter, type=kind, quantization=_bias_scales(input, filter))
    index = draft.constant(f"{filter.name}/zeros", np.zeros(channels, np.int64), bias)
    inputs = (op.inputs[0], op.inputs[1], index)
    draft.operators[op.index] = replace(op, inputs=inputs)
    return True


def _bias_scales(input: Tensor, filter: Tensor) -> Quantization | None:
    """Input's times filter's, as TFLM wants them; of each channel where the filter has such."""
    if input.quantization is None or filter.quantization is None:
        return None
    scale = input.quantization.scales[0]
    return Quantization(
        scales=tuple(scale * item for item in filter.quantization.scales),
        zero_points=(0,) * len(filter.quantization.scales),
    )


def _reshape(draft: Draft, op: Operator) -> bool:
    input, output = draft.tensors[op.inputs[0]], draft.tensors[op.outputs[0]]
    if (input.type, input.elements) != (output.type, output.elements):
        return False
    like = replace(output, type=TensorType.INT32, quantization=None, is_variable=False)
    shape = draft.constant(f"{output.name}/shape", np.array(output.shape, np.int64), like)
    draft.operators[op.index] = replace(
        op,
        name="RESHAPE",
        inputs=(op.inputs[0], shape),
        options=NO_OPTIONS,
        version=1,
    )
    return True


def _go_by_float(draft: Draft, op: Operator) -> bool:
    input, output = draft.tensors[op.inputs[0]], draft.tensors[op.outputs[0]]
    if not _shifts_alone(input, output):
        return False
    real = replace(
        output,
        index=len(draft.tensors),
        name=f"{output.name}/real",
        type=TensorType.FLOAT32,
        quantization=None,
    )
    draft.tensors.append(real)
    by = replace(op, name="DEQUANTIZE", outputs=(real.index,), options=NO_OPTIONS, version=2)
    to = replace(op, inputs=(real.index,), options=NO_OPTIONS, version=1)
    draft.operators[op.index : op.index + 1] = [by, to]
    return True


def _shifts_alone(input: Tensor, output: Tensor) -> bool:
    """Whether the operator only moves the zero point, and float32 brings each value back."""
    before, after = input.quantization, output.quantization
    if not (input.type in _BYTES and output.type == TensorType.INT8 and before and after):
        return False
    if before.is_per_channel or before.scales != after.scales:
        return False
    limits = np.iinfo(_BYTES[input.type])
    steps = np.arange(limits.min, limits.max + 1, dtype=np.float64) - before.zero_points[0]
    scale = np.float32(before.scales[0])
    with np.errstate(all="ignore"):
        real = (steps * np.float64(scale)).astype(np.float32)
        return bool((np.round(real / scale) == steps).all())
