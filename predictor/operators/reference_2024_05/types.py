"""Operators that ran on fewer types. Mirrors the Eval functions of kernels/activations.cc and
maximum_minimum.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.around import only_on
from predictor.operators.reference_2024_05 import register

_FLOAT32, _INT8 = TensorType.FLOAT32, TensorType.INT8
_WORDS = (TensorType.INT32, TensorType.INT64)

register("MAXIMUM", around=only_on(_FLOAT32, _INT8, *_WORDS))
register("MINIMUM", around=only_on(_FLOAT32, _INT8, *_WORDS))
register("RELU6", around=only_on(_FLOAT32, _INT8))
