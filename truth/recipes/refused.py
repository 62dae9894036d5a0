"""Models that TFLM refuses, or that fail each time they run."""

from __future__ import annotations

from predictor.model.graph import Quantization
from truth.sketch import Sketch, like, recipe

_OPTIONS = {"padding": "same", "stride_w": 1, "stride_h": 1, "fused_activation_function": "none"}


@recipe("CONV_2D", "float32-int8_hybrid uint8_refused")
def _conv_2d(s: Sketch) -> None:
    """A float layer with int8 weights, and one of uint8."""
    x, scale = s.input((1, 4, 4, 2)), Quantization((0.01,), (0,))
    filter = s.builder.constant([[[[1, 2]]]] * 3, s.types[-1], quantization=scale)
    bias = s.builder.constant([0] * 3, "float32" if s.type == "float32" else "int32")
    options = _OPTIONS | {"dilation_w_factor": 1, "dilation_h_factor": 1}
    s.apply([x, filter, bias], like(x, (1, 4, 4, 3)), options=options)


@recipe("FULLY_CONNECTED", "float32-int8_hybrid")
def _fully_connected(s: Sketch) -> None:
    scale = Quantization((0.01,), (0,))
    weights = s.builder.constant([[1, 2, 3]] * 4, "int8", quantization=scale)
    s.apply([s.input((1, 3)), weights, None], ((1, 4), "float32"), options={})


@recipe("TRANSPOSE_CONV", "int8_unbiased")
def _transpose_conv(s: Sketch) -> None:
    s.builder.output(s.builder.transpose_conv(s.input((1, 3, 3, 4)), 2, kernel=2, bias=False))


@recipe("RESHAPE", "int8_mismatch")
def _reshape(s: Sketch) -> None:
    x = s.input((1, 6))
    s.apply([x, s.builder.constant((5,), "int32")], like(x, (5,)), options={"new_shape": (5,)})


@recipe("CONCATENATION", "int8_rescaled int8_crowd")
def _concatenation(s: Sketch) -> None:
    """Inputs of another scale than the output, and more inputs than TFLM takes."""
    inputs = [s.input((1, 2)) for _ in range(11 if s.feature == "crowd" else 2)]
    scale = Quantization((0.5,), (0,)) if s.feature == "rescaled" else inputs[0].quantization
    options = {"axis": 1, "fused_activation_function": "none"}
    s.apply(inputs, ((1, 2 * len(inputs)), "int8", scale), options=options)


@recipe("SOFTMAX", "int8_rescaled")
def _softmax(s: Sketch) -> None:
    x = s.input((1, 8))
    s.apply([x], like(x), options={"beta": 1.0})


@recipe("GATHER", "int16_refused")
def _gather(s: Sketch) -> None:
    x = s.input((5, 3))
    indices = s.builder.constant([1, 2], "int32")
    s.apply([x, indices], like(x, (2, 3)), options={"axis": 0, "batch_dims": 0})


@recipe("TOPK_V2", "float32")
def _top(s: Sketch) -> None:
    """An operator that TFLM lacks."""
    x, most = s.input((8,)), s.builder.constant(3, "int32")
    s.apply([x, most], ((3,), "float32"), ((3,), "int32"), options={})


@recipe("SUM REDUCE_MAX", "int32_fails")
def _reduction(s: Sketch) -> None:
    x = s.input((2, 3))
    s.apply([x, s.builder.constant([1], "int32")], like(x, (2,)), options={"keep_dims": False})


@recipe("NEG", "int8_fails")
@recipe("EXPAND_DIMS", "int32_fails")
def _function(s: Sketch) -> None:
    x = s.input((3,))
    if s.operator == "NEG":
        s.apply([x], like(x))
    else:
        s.apply([x, s.builder.constant(0, "int32")], like(x, (1, 3)), options={})
