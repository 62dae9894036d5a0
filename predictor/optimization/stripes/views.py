"""Tensors that hold whole rows of another one, so that a plan may put them where those rows lie.

A kernel that copies rows then copies each byte onto itself, which changes nothing: GATHER of
successive rows within its input, CONCATENATION of rows whose parts lie in its output. (A compiler
itself copies structs by memcpy with one address for both, so that C libraries allow for it.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from predictor.model.graph import Operator, Subgraph, Tensor
from predictor.operators.sizes import runtime_bytes
from predictor.optimization.compaction.surgery import has_integers, integers

VIEW_ALIGNMENT = 4
"""Views begin at a multiple of it, in bytes, as words that kernels load do."""


class View(NamedTuple):
    """A tensor that holds the bytes of ``parent`` from ``offset_bytes`` on.

    ``is_part`` says that the parent is made of such parts, which are written before it.
    """

    parent: int
    offset_bytes: int
    is_part: bool


def views_of(subgraph: Subgraph) -> Mapping[int, View]:
    """The views among the tensors of a subgraph, by their index; each has one parent."""
    found: dict[int, View] = {}
    for op in subgraph.operators:
        if op.is_custom or len(op.outputs) != 1:
            continue
        if op.name == "GATHER":
            view = _gathered(subgraph, op)
            if view is not None:
                found[op.outputs[0]] = view
        elif op.name == "CONCATENATION":
            for index, view in _joined(subgraph, op).items():
                if index not in found and not _is_in(index, view.parent, found):
                    found[index] = view
    return found


def _is_in(index: int, parent: int, found: Mapping[int, View]) -> bool:
    """Whether a tensor is at the root of the views that another one is in."""
    while parent in found:
        parent = found[parent].parent
    return parent == index


def _is_plain(tensor: Tensor) -> bool:
    return not tensor.is_constant and not tensor.is_variable


def _gathered(subgraph: Subgraph, op: Operator) -> View | None:
    source, output = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
    places = subgraph.tensors[op.inputs[1]]
    axis = op.options.get("axis", 0)
    if not (_is_plain(source) and has_integers(places)) or axis < 0 or op.options.get("batch_dims"):
        return None
    rows = integers(places).reshape(-1).tolist()
    if not rows or rows != list(range(rows[0], rows[0] + len(rows))):
        return None
    if rows[0] < 0 or prod(source.shape[:axis]) != 1 or axis >= len(source.shape):
        return None
    row_bytes = runtime_bytes(source, source.shape[axis + 1 :])
    is_inside = rows[-1] < source.shape[axis] and source.type == output.type
    offset = rows[0] * row_bytes
    if not is_inside or offset % VIEW_ALIGNMENT:
        return None
    return View(op.inputs[0], offset, is_part=False)


def _joined(subgraph: Subgraph, op: Operator) -> Mapping[int, View]:
    output = subgraph.tensors[op.outputs[0]]
    axis = op.options.get("axis", 0) % max(1, len(output.shape))
    if prod(output.shape[:axis]) != 1 or op.options.get("fused_activation_function"):
        return {}
    found: dict[int, View] = {}
    offset = 0
    for index in op.inputs:
        tensor = subgraph.tensors[index]
        if _is_plain(tensor) and offset % VIEW_ALIGNMENT == 0 and tensor.type == output.type:
            found.setdefault(index, View(op.outputs[0], offset, is_part=True))
        offset += runtime_bytes(tensor, tensor.shape)
    return found
