"""Changes of a graph that keep it a graph: shapes, types, options, constants, plans, names."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from predictor.model.graph import (
    NO_OPTIONS,
    Graph,
    Operator,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)
from predictor.model.metadata import OFFLINE_PLAN, PLAN_ORIGIN
from predictor.operators.kernel_set import overlay
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

DIMS = (0, 1, 1, 2, 3, 4, 7, 8, 16, 17, 64, 255, 1024, 1 << 16, 1 << 20, 1 << 24, 1 << 31 - 1)
INTS = (-(2**31), -129, -2, -1, 0, 1, 2, 3, 4, 8, 127, 255, 1 << 16, 1 << 20, 2**31 - 1)
FLOATS = (0.0, -1.0, 1.0, 0.5, 1e-45, 1e-30, 1e30, 3e38, float("inf"), float("nan"), -1e-9)
NAMES = (
    "",
    "x" * 4000,
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\x00",
    "a\nb|c<d>&\"'`",
    "[link=http://x]y[/link]",
    "[red]",
    "\u202eabc\u2066",
    "]]>",
    "{{ 7*7 }}{% raw %}",
    "../../etc/x",
)
_REPEATS = (*[1] * 10, *[2] * 20, *[5] * 10, 40, 40, 400)
_KNOWN = tuple(sorted(overlay("reference").names()))


def mutated(graph: Graph, rng: random.Random) -> Graph:
    """One to a few changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        graph = rng.choice(_CHANGES)(graph, rng)
    return graph


def _mapped(graph: Graph, change: Callable[[Tensor], Tensor]) -> Graph:
    """The graph with each of its tensors changed."""
    subgraphs = tuple(
        replace(subgraph, tensors=tuple(map(change, subgraph.tensors)))
        for subgraph in graph.subgraphs
    )
    return replace(graph, subgraphs=subgraphs)


def with_other_tensors(graph: Graph, rng: random.Random) -> Graph:
    """Other shapes and types (of those that TFLM has) for about half of the tensors."""
    changes = (_shape, _shape, _known_type)
    return _mapped(
        graph, lambda item: item if rng.random() < 0.5 else rng.choice(changes)(item, rng)
    )


def with_scalars(graph: Graph, rng: random.Random) -> Graph:
    """About a third of the tensors have no dimensions."""
    return _mapped(graph, lambda item: replace(item, shape=()) if rng.random() < 0.3 else item)


def _with_subgraph(graph: Graph, subgraph: Subgraph) -> Graph:
    subgraphs = list(graph.subgraphs)
    subgraphs[subgraph.index] = subgraph
    return replace(graph, subgraphs=tuple(subgraphs))


def _change_tensor(
    change: Callable[[Tensor, random.Random], Tensor],
) -> Callable[[Graph, random.Random], Graph]:
    def apply(graph: Graph, rng: random.Random) -> Graph:
        subgraph = rng.choice(graph.subgraphs)
        if not subgraph.tensors:
            return graph
        tensors = list(subgraph.tensors)
        index = rng.randrange(len(tensors))
        tensors[index] = change(tensors[index], rng)
        return _with_subgraph(graph, replace(subgraph, tensors=tuple(tensors)))

    return apply


def _change_operator(
    change: Callable[[Operator, Subgraph, random.Random], Operator],
) -> Callable[[Graph, random.Random], Graph]:
    def apply(graph: Graph, rng: random.Random) -> Graph:
        subgraph = rng.choice(graph.subgraphs)
        if not subgraph.operators:
            return graph
        operators = list(subgraph.operators)
        index = rng.randrange(len(operators))
        operators[index] = change(operators[index], subgraph, rng)
        return _with_subgraph(graph, replace(subgraph, operators=tuple(operators)))

    return apply


def _shape(tensor: Tensor, rng: random.Random) -> Tensor:
    shape = list(tensor.shape)
    kind = rng.randrange(6)
    if kind == 0 and shape:
        del shape[rng.randrange(len(shape))]
    elif kind == 1:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice(DIMS))
    elif kind == 2:
        rng.shuffle(shape)
    elif kind == 3:
        shape = [rng.choice(DIMS[:9]) for _ in range(rng.randrange(8))]
    elif shape:
        shape[rng.randrange(len(shape))] = rng.choice(DIMS)
    return replace(tensor, shape=tuple(shape), has_shape=rng.random() > 0.05)


def _type(tensor: Tensor, rng: random.Random) -> Tensor:
    return replace(tensor, type=rng.choice(tuple(TensorType)))


def _unchanged(tensor: Tensor, _: random.Random) -> Tensor:
    return tensor


def _known_type(tensor: Tensor, rng: random.Random) -> Tensor:
    return replace(tensor, type=rng.choice(tuple(RUNTIME_TYPE_BYTES)))


def _name(tensor: Tensor, rng: random.Random) -> Tensor:
    return replace(tensor, name=rng.choice(NAMES))


def _data(tensor: Tensor, rng: random.Random) -> Tensor:
    kind = rng.randrange(5)
    if kind == 0:
        return replace(tensor, data=None)
    if kind == 1:
        return replace(tensor, data=memoryview(rng.randbytes(rng.choice((1, 3, 16, 64)))))
    if kind == 2:
        values = [rng.choice(INTS) for _ in range(rng.randrange(1, 9))]
        return replace(tensor, data=memoryview(struct.pack(f"<{len(values)}i", *values)))
    if kind == 3 and tensor.data is not None:
        return replace(tensor, data=tensor.data[: rng.randrange(tensor.data.nbytes + 1)] or None)
    return replace(tensor, is_variable=not tensor.is_variable)


def _quantization(tensor: Tensor, rng: random.Random) -> Tensor:
    if rng.random() < 0.2:
        return replace(tensor, quantization=None)
    old = tensor.quantization or Quantization((1.0,), (0,))
    count = rng.choice((1, len(old.scales), 2, 5))
    scales, zeros = old.scales, old.zero_points
    if rng.random() < 0.7:
        scales = tuple(rng.choice((*FLOATS, *old.scales)) for _ in range(count))
    if rng.random() < 0.5:
        points = (*INTS, 2**62, -(2**63), *old.zero_points)
        zeros = tuple(rng.choice(points) for _ in range(rng.choice((1, count))))
    dimension = rng.choice((old.dimension, 0, 3, -1, 100))
    return replace(tensor, quantization=Quantization(scales, zeros, dimension))


def _code(op: Operator, _: Subgraph, rng: random.Random) -> Operator:
    """Another operator, with its options or those of the one before."""
    name = rng.choice(_KNOWN)
    options = rng.choice((op.options, NO_OPTIONS))
    return replace(
        op,
        name=name,
        is_custom=name.isupper() is False or rng.random() < 0.05,
        options=options,
        version=rng.choice((op.version, 0, 1, 5, 99)),
        has_newer_code=rng.random() > 0.1,
        has_older_code=rng.random() > 0.1,
    )


def _options(op: Operator, _: Subgraph, rng: random.Random) -> Operator:
    if not op.options:
        return op
    options: dict[str, Any] = dict(op.options)
    for name, value in op.options.items():
        if name == "options_type" or rng.random() < 0.5:
            continue
        if isinstance(value, bool):
            options[name] = not value
        elif isinstance(value, int):
            options[name] = rng.choice(INTS)
        elif isinstance(value, float):
            options[name] = rng.choice(FLOATS)
        elif isinstance(value, str):
            options[name] = rng.choice(NAMES)
        elif isinstance(value, tuple):
            options[name] = tuple(rng.choice(INTS) for _ in range(rng.randrange(6)))
    return replace(op, options=MappingProxyType(options))


def _custom_options(op: Operator, _: Subgraph, rng: random.Random) -> Operator:
    raw = bytearray(op.custom_options or rng.randbytes(rng.randrange(1, 40)))
    for _ in range(rng.randrange(1, 5)):
        raw[rng.randrange(len(raw))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return replace(op, custom_options=bytes(raw[: rng.randrange(1, len(raw) + 1)]))


def _links(op: Operator, subgraph: Subgraph, rng: random.Random) -> Operator:
    count = len(subgraph.tensors)

    def changed(indices: tuple[int, ...], least: int) -> tuple[int, ...]:
        found = list(indices)
        kind = rng.randrange(4)
        if kind == 0 and found:
            del found[rng.randrange(len(found))]
        elif kind == 1:
            found.append(rng.randrange(least, count))
        elif kind == 2:
            rng.shuffle(found)
        elif found:
            found[rng.randrange(len(found))] = rng.randrange(least, count)
        return tuple(found)

    if rng.random() < 0.6:
        return replace(op, inputs=changed(op.inputs, -1))
    if rng.random() < 0.7:
        return replace(op, outputs=changed(op.outputs, 0))
    return replace(op, intermediates=changed(op.intermediates, 0))


def _ends(graph: Graph, rng: random.Random) -> Graph:
    subgraph = rng.choice(graph.subgraphs)
    count = len(subgraph.tensors)
    chosen = tuple(rng.randrange(count) for _ in range(rng.randrange(4)))
    ends = {"inputs": chosen} if rng.random() < 0.5 else {"outputs": chosen}
    return _with_subgraph(graph, replace(subgraph, **ends))


def _operators(graph: Graph, rng: random.Random) -> Graph:
    """Operators left out, run twice or in another order."""
    subgraph = rng.choice(graph.subgraphs)
    operators: list[Operator] = list(subgraph.operators)
    kind = rng.randrange(4)
    if not operators:
        return graph
    if kind == 0:
        del operators[rng.randrange(len(operators))]
    elif kind == 1:
        operators.insert(rng.randrange(len(operators) + 1), rng.choice(operators))
    elif kind == 2:
        first, second = rng.randrange(len(operators)), rng.randrange(len(operators))
        operators[first], operators[second] = operators[second], operators[first]
    else:
        operators = (operators * rng.choice(_REPEATS))[:3000]
    numbered = tuple(replace(op, index=index) for index, op in enumerate(operators))
    return _with_subgraph(graph, replace(subgraph, operators=numbered))


def _subgraphs(graph: Graph, rng: random.Random) -> Graph:
    """Further subgraphs, or an operator that calls one."""
    subgraphs: list[Subgraph] = list(graph.subgraphs)
    if rng.random() < 0.5 or len(subgraphs) == 1:
        copied = rng.choice(subgraphs)
        subgraphs += [copied] * rng.choice(_REPEATS)
        subgraphs = [replace(item, index=index) for index, item in enumerate(subgraphs)]
        return replace(graph, subgraphs=tuple(subgraphs))
    del subgraphs[rng.randrange(1, len(subgraphs)) :]
    return replace(graph, subgraphs=tuple(subgraphs))


def _plan(graph: Graph, rng: random.Random) -> Graph:
    """An offline plan: random, overlapping, far away, too short or of another version."""
    count = graph.tensor_count
    steps = rng.choice(((0,), (0, 16, 32, 64, 512), (-1, 0, 16), INTS))
    offsets = [rng.choice(steps) for _ in range(max(0, count + rng.choice((0, 0, 0, -1, 1, 50))))]
    header = (rng.choice((1, 1, 1, 0, 2)), 0, rng.choice((len(offsets), len(offsets), 0, 2**31)))
    raw = struct.pack(f"<3I{len(offsets)}i", *header, *offsets)
    metadata = {**graph.metadata, OFFLINE_PLAN: memoryview(raw)}
    if rng.random() < 0.3:
        origin = rng.choice((b"{}", b'{"kernels":1}', b"[[", b'{"distances":[[0,1e400]]}'))
        metadata[PLAN_ORIGIN] = memoryview(origin)
    return replace(graph, metadata=MappingProxyType(metadata))


def _graph_names(graph: Graph, rng: random.Random) -> Graph:
    subgraph = rng.choice(graph.subgraphs)
    graph = _with_subgraph(graph, replace(subgraph, name=rng.choice(NAMES)))
    return replace(graph, description=rng.choice(NAMES), unused_codes=("ADD", "CUSTOM:\x1b[31m"))


def _custom_name(op: Operator, _: Subgraph, rng: random.Random) -> Operator:
    return replace(op, name=rng.choice(NAMES[1:]), is_custom=True, options=NO_OPTIONS)


_CHANGES: Sequence[Callable[[Graph, random.Random], Graph]] = (
    *[_change_tensor(_shape)] * 4,
    *[_change_tensor(_type)] * 2,
    *[_change_tensor(_data)] * 2,
    *[_change_tensor(_quantization)] * 2,
    _change_tensor(_name),
    *[_change_operator(_code)] * 3,
    *[_change_operator(_options)] * 3,
    *[_change_operator(_links)] * 2,
    _change_operator(_custom_options),
    _change_operator(_custom_name),
    _ends,
    _operators,
    _subgraphs,
    _plan,
    _graph_names,
)
