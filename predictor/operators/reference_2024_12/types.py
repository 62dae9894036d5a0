"""Operators that ran on fewer types. Mirrors the Eval functions of kernels/activations.cc,
comparisons.cc, pack.cc, prelu.cc, sub.cc, transpose.cc and unpack.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.around import only_on
from predictor.operators.reference_2024_12 import register

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64

register("GREATER", around=only_on(_FLOAT32, _INT8, _INT32, _INT64))
register("PACK", around=only_on(_FLOAT32, _INT8, _INT32, _INT64))
register("PRELU", around=only_on(_FLOAT32, _INT8))
register("RELU", around=only_on(_FLOAT32, _INT8))
register("SUB", around=only_on(_FLOAT32, _INT8, _INT16))
register("TRANSPOSE", around=only_on(_FLOAT32, _INT8))
register("UNPACK", around=only_on(_FLOAT32, _INT8, _INT32))
