"""SVDF with CMSIS-NN. Mirrors ``CmsisNnPrepareSvdf`` in kernels/cmsis_nn/svdf.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import kernel_sum_bytes
from predictor.operators.context import NodeContext
from predictor.operators.reference.recurrent import prepare_svdf


def _prepare(ctx: NodeContext) -> None:
    prepare_svdf(ctx)
    input, weights_feature = ctx.input(0), ctx.input(1)
    assert input is not None
    assert weights_feature is not None
    sum_bytes = kernel_sum_bytes(ctx.core, ctx.shape(weights_feature)[0])
    if input.type == TensorType.INT8 and sum_bytes:
        ctx.ensure(weights_feature.is_constant, "the weights of its features must be constant")
        ctx.persistent(sum_bytes)


register("SVDF", prepare=_prepare)
