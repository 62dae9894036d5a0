"""Operators that ran on fewer types. Mirrors the Eval functions of kernels/add.cc, cmsis_nn/add.cc,
div.cc, expand_dims.cc, slice.cc and squared_difference.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.around import only_on
from predictor.operators.reference_2023_02 import register

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_INT32 = TensorType.INT32

register("ADD", around=only_on(_FLOAT32, _INT8, _INT16))
register("DIV", around=only_on(_FLOAT32, _INT8))
register("EXPAND_DIMS", around=only_on(_FLOAT32, _INT8))
register("SLICE", around=only_on(_FLOAT32, _INT8, _INT16, _INT32))
register("SQUARED_DIFFERENCE", around=only_on(_FLOAT32, _INT8, _INT32))
