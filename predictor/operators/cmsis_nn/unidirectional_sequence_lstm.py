"""UNIDIRECTIONAL_SEQUENCE_LSTM with CMSIS-NN. Mirrors
kernels/cmsis_nn/unidirectional_sequence_lstm.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.quantized import INT32_BYTES, INT64_BYTES
from predictor.operators.reference.recurrent import (
    BIASES,
    WEIGHTS,
    check_lstm,
    request_lstm_buffers,
)

_BIAS_BYTES = {TensorType.INT8: INT32_BYTES, TensorType.INT16: INT64_BYTES}


def _prepare(ctx: NodeContext) -> None:
    """Biases with the sums of their weights are kept for each product of integers."""
    lstm = check_lstm(ctx, must_be_constant=(*WEIGHTS, *BIASES))
    bias_bytes = _BIAS_BYTES.get(lstm.input.type, 0)
    has_sums = lstm.cell_state.type == TensorType.INT16 and bias_bytes > 0
    if has_sums:
        for _ in WEIGHTS:
            ctx.persistent(lstm.size.cells * bias_bytes)
    request_lstm_buffers(ctx, lstm, 3 if has_sums else 4)


register("UNIDIRECTIONAL_SEQUENCE_LSTM", prepare=_prepare)
