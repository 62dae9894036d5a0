"""Operators that run subgraphs: they give what these give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from predictor.semantics.shape_rules.call import Call, Rule, Shape, need


def _outputs(call: Call, option: str) -> Sequence[Shape]:
    index = call.option(option, -1)
    need(0 <= index < len(call.graph.subgraphs))
    called = call.graph.subgraphs[index]
    tensors = [called.tensors[tensor] for tensor in called.outputs]
    need(all(tensor.has_shape for tensor in tensors))
    return [tensor.shape for tensor in tensors]


def _if(call: Call) -> Sequence[Shape]:
    found = _outputs(call, "then_subgraph_index")
    need(found == _outputs(call, "else_subgraph_index"))
    return found


def _while(call: Call) -> Sequence[Shape]:
    return _outputs(call, "body_subgraph_index")


RULES: Mapping[str, Rule] = {"IF": _if, "WHILE": _while}
