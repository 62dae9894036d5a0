"""Operators that ran on fewer types. Mirrors the Eval functions of kernels/activations.cc,
comparisons.cc, pack.cc, prelu.cc, sub.cc, transpose.cc and unpack.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.fewer_types import only_on
from predictor.operators.reference_2024_12 import register

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64

register("GREATER", prepare=only_on("GREATER", _FLOAT32, _INT8, _INT32, _INT64))
register("PACK", prepare=only_on("PACK", _FLOAT32, _INT8, _INT32, _INT64))
register("PRELU", prepare=only_on("PRELU", _FLOAT32, _INT8))
register("RELU", prepare=only_on("RELU", _FLOAT32, _INT8))
register("SUB", prepare=only_on("SUB", _FLOAT32, _INT8, _INT16))
register("TRANSPOSE", prepare=only_on("TRANSPOSE", _FLOAT32, _INT8))
register("UNPACK", prepare=only_on("UNPACK", _FLOAT32, _INT8, _INT32))
