"""What to do about an operator that TFLM refuses."""

from __future__ import annotations

import re

from predictor.model.graph import CUSTOM_PREFIX, Graph, TensorType

_FIXED_SIZE = "convert the model with a fixed batch and size, so that shapes are constants"
_UNROLLED = (
    "of a recurrent layer or loop: convert the model with a fixed batch and length and unroll=True"
)
_CUSTOM = (
    ("ethos-u", "compiled by Vela for an Ethos-U NPU: give the model as it was before Vela"),
    ("edgetpu", "compiled for a Coral Edge TPU: give the model as it was before that compiler"),
    ("FlexTensorList", _UNROLLED),
    ("Flex", "an operator of TensorFlow (SELECT_TF_OPS): convert the model without them"),
    ("Lce", "binary, of Larq Compute Engine, which TFLM lacks: train and convert without Larq"),
    ("MN_", "of a device model of this project: --kernels mn runs it"),
)
"""Beginnings of custom codes, with what they are and what to do."""
_RECURRENT = re.compile("RNN|LSTM")
_INSTEAD = {
    "GELU": "HARD_SWISH or RELU in its place needs no other change",
    "POW": "write a square as MUL or SQUARE, a root as SQRT",
    "TILE": "BROADCAST_TO or CONCATENATION does the same",
}
_REPLACE = "replace it by operators that TFLM has, or leave it to the application"
_QUANTIZE = "quantise to int8 with a representative dataset"
_BY_TYPE = {
    TensorType.UINT8: f"uint8 is a quantisation of TensorFlow 1: {_QUANTIZE}",
    TensorType.FLOAT16: f"float16 weights: convert without them, or {_QUANTIZE}",
    TensorType.BFLOAT16: f"bfloat16: convert without it, or {_QUANTIZE}",
    TensorType.FLOAT64: "float64: build the model in float32",
}
_BY_REASON = (
    (r"^hybrid", f"dynamic-range quantisation: {_QUANTIZE}"),
    (r"needs a bias|without bias", "predict optimize --for adds one of zeros, equal to the bit"),
    (r"inputs, TFLM takes", "join them in several steps"),
    (r"must be constant|dynamic tensors|must be a variable", _FIXED_SIZE),
    (r"zero point|scale|quantis", "quantise it anew with the current converter"),
    (r"per-channel", "quantise it anew: per-channel weights with int8 activations, or per tensor"),
    (r"dimension|rank|scalar|broadcast", "reshape its tensors to what TFLM takes"),
    (r"TFLM takes|differ|one type", "give its tensors the types and shapes that TFLM takes"),
    (r"activation", "write the activation as an operator of its own"),
)
"""What refusals have in common, in the order in which they are tried."""
_ANEW = "the file is unusual or damaged: convert the model anew with the current converter"


def advice(reason: str, label: str, graph: Graph, subgraph: int, index: int, newer: bool) -> str:
    """What to do about one refused operator.

    Args:
        reason: the refusal; ``label``, ``subgraph`` and ``index`` say of which operator.
        newer: whether a later TFLM has this operator.
    """
    code = label.removeprefix(CUSTOM_PREFIX)
    if code != label:
        known = (words for start, words in _CUSTOM if code.startswith(start))
        return next(known, "register a kernel of your own for it, or convert without it")
    if reason.startswith("it has no such operator"):
        return _missing(label, newer)
    part = graph.subgraphs[subgraph]
    op = part.operators[index]
    types = {part.tensors[i].type for i in (*op.inputs, *op.outputs) if i >= 0}
    by_type = (words for kind, words in _BY_TYPE.items() if kind in types)
    by_reason = (words for pattern, words in _BY_REASON if re.search(pattern, reason))
    return next(by_type, None) or next(by_reason, _ANEW)


def _missing(name: str, newer: bool) -> str:
    if newer:
        return "TFLM 2026.08 has it: --tflm 2026.08 predicts that one"
    if _RECURRENT.search(name):
        return f"{_UNROLLED}; of recurrent operators TFLM has UNIDIRECTIONAL_SEQUENCE_LSTM alone"
    return _INSTEAD.get(name, _REPLACE)
