"""Operators that change nothing: nobody reads them, they give back their input, or are constant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from math import inf

import numpy as np

from predictor.model.builder.tensors import NUMPY_TYPES
from predictor.model.geometry import SAME, VALID, padding_of
from predictor.model.graph import Graph, Operator, Subgraph, TensorType
from predictor.optimization.compaction.intervals import Spans, constant_span, intervals, output_span
from predictor.optimization.compaction.spans import Span
from predictor.optimization.compaction.surgery import Draft, has_integers, integers, readers
from predictor.optimization.compaction.weighted import weighted_layer

_PURE = frozenset(
    {
        "ABS", "ADD", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D",
        "DEPTHWISE_CONV_2D", "DEQUANTIZE", "EXPAND_DIMS", "FULLY_CONNECTED", "GATHER",
        "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM",
        "MUL", "PACK", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SHAPE", "SLICE", "SOFTMAX", "SPLIT",
        "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
    }
)  # fmt: skip
"""Operators without a state: what they do is what they write."""
_RESHAPING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_ELEMENTWISE = frozenset(
    {"ADD", "MAXIMUM", "MINIMUM", "MUL", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1"}
)
_MAX_FOLDED_BYTES = 1024
"""Of a constant that replaces operators: larger ones cost more flash than their operators."""

_LONGEST_CHAIN = 8
_MOST_VALUES = 256
"""Values for which an operator is tried: all of int8."""

Change = Callable[[Graph], "tuple[Graph, list[str]] | None"]
"""Changes of one kind all over a graph, in words; None where there is nothing to change."""


def without_unread(graph: Graph) -> tuple[Graph, list[str]] | None:
    """Without operators whose outputs nobody reads, those behind which all are so included."""
    main = graph.main
    read = set(main.outputs)
    gone = []
    for op in reversed(main.operators):
        is_pure = not op.is_custom and op.name in _PURE
        if is_pure and not read.intersection(op.outputs):
            gone.append(op)
        else:
            read.update(op.inputs)
    return _without(graph, {op.index: "nobody reads it" for op in reversed(gone)}, {})


def without_identities(graph: Graph) -> tuple[Graph, list[str]] | None:
    """Without operators, and pairs of them, that give back their input."""
    main = graph.main
    spans = intervals(main)
    writer = {index: op for op in main.operators for index in op.outputs}
    origin: dict[int, int] = {}
    reasons: dict[int, str] = {}
    for op in main.operators:
        if op.outputs and op.outputs[0] in main.outputs:
            continue
        for source, reason in _origins(main, op, writer, spans):
            first, last = main.tensors[source], main.tensors[op.outputs[0]]
            if (first.type, first.quantization) == (last.type, last.quantization):
                origin[last.index] = origin.get(source, source)
                reasons[op.index] = reason
                break
    return _without(graph, reasons, origin)


def without_idle_output(graph: Graph) -> tuple[Graph, list[str]] | None:
    """Without an operator that gives back its input as an output of the model."""
    main = graph.main
    spans = intervals(main)
    writer = {index: op for op in main.operators for index in op.outputs}
    ends = {index for index in main.outputs if index in writer}
    for output in sorted(ends):
        op = writer[output]
        for source, reason in _origins(main, op, writer, spans):
            first, last = main.tensors[source], main.tensors[output]
            is_free = source in writer and source not in main.outputs
            if not is_free or (first.type, first.quantization) != (last.type, last.quantization):
                continue
            draft = Draft(graph)
            draft.operators = [
                replace(
                    other,
                    inputs=_swapped(other.inputs, source, output),
                    outputs=_swapped(other.outputs, source, output),
                )
                for other in draft.operators
                if other.index != op.index
            ]
            return draft.graph(), [f"{_label(main, op)}: {reason}"]
    return None


def _without(
    graph: Graph, reasons: dict[int, str], origin: dict[int, int]
) -> tuple[Graph, list[str]] | None:
    """Without some operators; who reads a tensor that has an origin reads that instead."""
    if not reasons:
        return None
    main = graph.main
    draft = Draft(graph)
    draft.operators = [
        replace(op, inputs=tuple(origin.get(index, index) for index in op.inputs))
        for op in draft.operators
        if op.index not in reasons
    ]
    words = [f"{_label(main, main.operators[index])}: {why}" for index, why in reasons.items()]
    return draft.graph(), words


def _origins(
    main: Subgraph, op: Operator, writer: dict[int, Operator], spans: Spans
) -> list[tuple[int, str]]:
    """Tensors that an operator's output is always equal to."""
    found = []
    if op.is_custom or not op.inputs or len(op.outputs) != 1:
        return []
    if op.name in _RESHAPING:
        for source in _reshape_chain(op, writer):
            if main.tensors[source].shape == main.tensors[op.outputs[0]].shape:
                found.append((source, "it gives back the shape that was"))
    if op.name in _ELEMENTWISE:
        operand = _operand(main, op)
        if operand is not None and _is_identity(main, [op], operand, spans):
            found.append((operand, "it changes no value that reaches it"))
        before = None if operand is None else writer.get(operand)
        if before is not None and before.name in _ELEMENTWISE and not before.is_custom:
            first = _operand(main, before)
            if first is not None and _is_identity(main, [before, op], first, spans):
                found.append((first, f"it undoes {before.name} before it"))
    return found


def _reshape_chain(op: Operator, writer: dict[int, Operator]) -> list[int]:
    """Tensors that a reshape has its values from, the earliest first; of long chains the last."""
    chain = [op.inputs[0]]
    while (before := writer.get(chain[-1])) is not None and before.name in _RESHAPING:
        chain.append(before.inputs[0])
        if len(chain) == _LONGEST_CHAIN:
            break
    return chain[::-1]


def _operand(main: Subgraph, op: Operator) -> int | None:
    """The one input that is computed."""
    computed = [i for i in op.inputs if i >= 0 and not main.tensors[i].is_constant]
    return computed[0] if len(computed) == 1 else None


def _is_identity(main: Subgraph, chain: list[Operator], source: int, spans: Spans) -> bool:
    """Whether each value that a channel of the source can have comes back unchanged."""
    first, last = main.tensors[source], main.tensors[chain[-1].outputs[0]]
    x = spans.get(source)
    same = (first.type, first.shape, first.quantization) == (
        last.type,
        last.shape,
        last.quantization,
    )
    if x is None or not same or int(x.high.max()) - int(x.low.min()) > _MOST_VALUES:
        return False
    values = np.arange(x.low.min(), x.high.max() + 1)[:, None]
    held = np.broadcast_to(values, (len(values), len(x.low)))
    known = {**spans, source: Span(held, held)}
    for op in chain:
        result = output_span(main, op, 0, known)
        if result is None:
            return False
        known[op.outputs[0]] = result
    matters = (x.low <= held) & (held <= x.high)
    end = known[chain[-1].outputs[0]]
    if end.low.shape != held.shape:
        return False
    return not ((end.low != held) | (end.high != held))[matters].any()


def _swapped(indices: tuple[int, ...], old: int, new: int) -> tuple[int, ...]:
    return tuple(new if index == old else index for index in indices)


def with_shorter_reshapes(graph: Graph) -> tuple[Graph, list[str]] | None:
    """With reshapes that read what a reshape before them reads."""
    main = graph.main
    writer = {index: op for op in main.operators for index in op.outputs}
    draft, words = Draft(graph), []
    for op in main.operators:
        before = writer.get(op.inputs[0]) if op.inputs and op.name == "RESHAPE" else None
        if before is None or before.name not in _RESHAPING:
            continue
        source = draft.operators[before.index].inputs[0]
        draft.operators[op.index] = draft.with_inputs(op, {0: source})
        words.append(f"{_label(main, op)}: it reads through {before.name}")
    return (draft.graph(), words) if words else None


def with_joined_padding(graph: Graph) -> tuple[Graph, list[str]] | None:
    """With each PAD in the padding of the convolution behind it, where that can do it."""
    main = graph.main
    reads = readers(main.operators, main.outputs)
    writer = {index: op for op in main.operators for index in op.outputs}
    draft, gone, words = Draft(graph), set(), []
    for op in main.operators:
        pad = writer.get(op.inputs[0]) if op.inputs else None
        if pad is None or pad.name != "PAD" or reads[pad.outputs[0]] != 1:
            continue
        layer = weighted_layer(main, op)
        if layer is None or op.name == "FULLY_CONNECTED" or not _is_same_padding(main, pad, op):
            continue
        options = {**op.options, "padding": SAME}
        draft.operators[op.index] = replace(
            draft.with_inputs(op, {0: pad.inputs[0]}), options=options
        )
        gone.add(pad.index)
        words.append(f"{_label(main, pad)}: the padding of {op.name} does it")
    draft.operators = [op for op in draft.operators if op.index not in gone]
    return (draft.graph(), words) if words else None


def _is_same_padding(main: Subgraph, pad: Operator, op: Operator) -> bool:
    """Whether the convolution sees the same with SAME padding and without the PAD."""
    source, padded, output = (
        main.tensors[index] for index in (pad.inputs[0], pad.outputs[0], op.outputs[0])
    )
    amounts = main.tensors[pad.inputs[1]]
    options = op.options
    if (
        not has_integers(amounts)
        or options.get("padding") != VALID
        or source.quantization != padded.quantization
        or source.type != padded.type
        or len(source.shape) != 4
    ):
        return False
    pairs = integers(amounts).reshape(-1, 2)
    if pairs[0].any() or pairs[3].any():
        return False
    kernel = main.tensors[op.inputs[1]].shape[1:3]
    dilation = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
    same = padding_of({**options, "padding": SAME}, source.shape[1:3], kernel, dilation)
    return (same.out_height, same.out_width) == output.shape[1:3] and (
        same.height,
        same.width,
    ) == (pairs[1][0], pairs[2][0])


def with_constants(graph: Graph) -> tuple[Graph, list[str]] | None:
    """With constants in place of operators of which all inputs are constant."""
    main = graph.main
    draft, gone, words = Draft(graph), set(), []
    for op in main.operators:
        if op.is_custom or len(op.outputs) != 1 or op.outputs[0] in main.outputs:
            continue
        output = main.tensors[op.outputs[0]]
        data = _constant_bytes(main, op, draft)
        if not data or len(data) > _MAX_FOLDED_BYTES or len(data) != output.stored_bytes:
            continue
        draft.tensors[output.index] = replace(output, data=memoryview(data))
        gone.add(op.index)
        words.append(f"{_label(main, op)}: it is constant")
    draft.operators = [op for op in draft.operators if op.index not in gone]
    return (draft.graph(), words) if words else None


def _constant_bytes(main: Subgraph, op: Operator, draft: Draft) -> bytes | None:
    """What an operator writes, where that is known."""
    inputs = [draft.tensors[index] for index in op.inputs if index >= 0]
    output = draft.tensors[op.outputs[0]]
    if op.name == "SHAPE" and inputs and output.type in NUMPY_TYPES:
        return np.array(inputs[0].shape, NUMPY_TYPES[output.type]).tobytes()
    if not inputs or not all(tensor.is_constant for tensor in inputs):
        return None
    if op.name in _RESHAPING and inputs[0].data is not None:
        return bytes(inputs[0].data)[: inputs[0].stored_bytes]
    if op.name not in _ELEMENTWISE or output.type != TensorType.INT8:
        return None
    known = {i: s for i in op.inputs if (s := constant_span(draft.tensors[i])) is not None}
    span = output_span(replace(main, tensors=tuple(draft.tensors)), op, 0, known)
    if span is None or not span.is_constant.all() or output.elements != len(span.low):
        return None
    return span.low.astype(np.int8).tobytes()


def _label(main: Subgraph, op: Operator) -> str:
    name = main.tensors[op.outputs[0]].name if op.outputs else ""
    return f"{op.name} {name}"


CHANGES: tuple[Change, ...] = (
    without_unread,
    without_identities,
    without_idle_output,
    with_shorter_reshapes,
    with_joined_padding,
    with_constants,
)


def simplified(graph: Graph, deadline: float = inf) -> tuple[Graph, list[str]]:
    """The graph after all of these changes, and what they were.

    Args:
        deadline: of ``time.monotonic()``, after which no further change is tried.
    """
    found: list[str] = []
    while True:
        in_time = takewhile(lambda _: time.monotonic() <= deadline, CHANGES)
        done = next((result for change in in_time if (result := change(graph))), None)
        if done is None:
            return graph, found
        graph, words = done
        found += words
