"""QUANTIZE, DEQUANTIZE and CAST. Mirrors kernels/quantize_common.cc, dequantize_common.cc and
cast.cc."""

from __future__ import annotations

from functools import partial

from predictor.model.graph import TensorType
from predictor.operators.checks import need_one_of_each
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.parsing import check_element_types
from predictor.operators.quantized import need_quantization
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_FLOAT32, _INT32, _INT16, _INT8, _UINT8 = (
    TensorType.FLOAT32,
    TensorType.INT32,
    TensorType.INT16,
    TensorType.INT8,
    TensorType.UINT8,
)
_QUANTIZE_OUTPUTS = {
    _FLOAT32: (_INT8, _INT16),
    _INT32: (_INT8, _INT16),
    _INT16: (_INT8, _INT16, _INT32),
    _INT8: (_INT8, _UINT8, _INT16, _INT32),
    _UINT8: (_INT8,),
}
"""Output types that Eval takes for each input type that Prepare takes."""
_CAST_OUTPUTS = (_INT8, _INT16, _INT32, TensorType.UINT32, _FLOAT32)


def _prepare_quantize(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    ctx.ensure(
        not need_quantization(ctx, output).is_per_channel,
        "the output must not be quantised per channel",
    )
    ctx.ensure_type(input, *_QUANTIZE_OUTPUTS)
    ctx.ensure_type(output, _INT8, _INT16, _INT32, _UINT8)
    if output.type not in _QUANTIZE_OUTPUTS[input.type]:
        ctx.fails_at_invoke(f"it does not turn {input.type.name} into {output.type.name}")


def _prepare_dequantize(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    ctx.ensure_type(input, _INT8, _INT16, _UINT8)
    ctx.ensure_type(output, _FLOAT32)


def _prepare_cast(ctx: NodeContext) -> None:
    check_element_types(ctx, "CastOptions", "in_data_type", "out_data_type")
    input, output = need_one_of_each(ctx)
    runs_on(ctx, input, *_CAST_OUTPUTS, TensorType.BOOL)
    runs_on(ctx, output, *_CAST_OUTPUTS)


_register = partial(register, count=count_outputs, overlap=elementwise(0))

_register(
    "QUANTIZE",
    init=allocates("OpDataQuantizeReference"),
    prepare=_prepare_quantize,
    loops=elements.rescaling,
)
_register(
    "DEQUANTIZE",
    init=allocates("DequantizeOpData"),
    prepare=_prepare_dequantize,
    loops=elements.loops,
)
_register("CAST", params="TfLiteCastParams", prepare=_prepare_cast, loops=elements.loops)
