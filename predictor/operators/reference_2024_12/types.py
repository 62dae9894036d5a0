"""Operators that ran on fewer types. Mirrors the Eval functions of kernels/activations.cc,
comparisons.cc, pack.cc, prelu.cc, sub.cc, transpose.cc and unpack.cc."""

from __future__ import annotations

from collections.abc import Callable

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.kernel_set import overlay
from predictor.operators.reference_2024_12 import register

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64


def _on(name: str, *types: TensorType) -> Callable[[NodeContext], None]:
    """Prepares as today, then fails at Invoke on other types."""
    prepare = (overlay("reference").columns(name) or {}).get("prepare")

    def prepared(ctx: NodeContext) -> None:
        if prepare is not None:
            prepare(ctx)
        runs_on(ctx, ctx.need_input(0, temp=False), *types)

    return prepared


register("GREATER", prepare=_on("GREATER", _FLOAT32, _INT8, _INT32, _INT64))
register("PACK", prepare=_on("PACK", _FLOAT32, _INT8, _INT32, _INT64))
register("PRELU", prepare=_on("PRELU", _FLOAT32, _INT8))
register("RELU", prepare=_on("RELU", _FLOAT32, _INT8))
register("SUB", prepare=_on("SUB", _FLOAT32, _INT8, _INT16))
register("TRANSPOSE", prepare=_on("TRANSPOSE", _FLOAT32, _INT8))
register("UNPACK", prepare=_on("UNPACK", _FLOAT32, _INT8, _INT32))
