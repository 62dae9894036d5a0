"""What to do about an operator that TFLM refuses: the remedies that people need most."""

from __future__ import annotations

from predictor.model.graph import CUSTOM_PREFIX, Graph, TensorType

_CUSTOM = (
    ("ethos-u", "compiled by Vela for an Ethos-U NPU: give the model as it was before Vela"),
    ("edgetpu", "compiled for a Coral Edge TPU: give the model as it was before that compiler"),
    ("Flex", "an operator of TensorFlow (SELECT_TF_OPS): convert the model without them"),
    ("Lce", "binary, of Larq Compute Engine, which TFLM lacks: train and convert without Larq"),
    ("MN_", "of a device model of this project: --kernels mn runs it"),
)
"""Beginnings of custom codes, with what they are and what to do."""
_REPLACE = "replace it by operators that TFLM has, or leave it to the application"
_QUANTIZE = "quantise to int8 with a representative dataset"
_BY_TYPE = {
    TensorType.UINT8: f"uint8 is a quantisation of TensorFlow 1: {_QUANTIZE}",
    TensorType.FLOAT16: f"float16 weights: convert without them, or {_QUANTIZE}",
}


def advice(reason: str, label: str, graph: Graph, subgraph: int, index: int, newer: bool) -> str:
    """What to do about one refused operator; empty where nothing is known.

    Args:
        reason: the refusal; ``label``, ``subgraph`` and ``index`` say of which operator.
        newer: whether a later TFLM has this operator.
    """
    code = label.removeprefix(CUSTOM_PREFIX)
    if code != label:
        known = (words for start, words in _CUSTOM if code.startswith(start))
        return next(known, "register a kernel of your own for it, or convert without it")
    if reason.startswith("it has no such operator"):
        return "TFLM 2026.08 has it: --tflm 2026.08 predicts that one" if newer else _REPLACE
    part = graph.subgraphs[subgraph]
    op = part.operators[index]
    types = {part.tensors[i].type for i in (*op.inputs, *op.outputs) if i >= 0}
    found = next((words for kind, words in _BY_TYPE.items() if kind in types), "")
    if found:
        return found
    if reason.startswith("hybrid"):
        return f"dynamic-range quantisation: {_QUANTIZE}"
    return ""
