"""Operators with weights, windows and rows: convolutions, matrix products, pooling, softmax."""

from __future__ import annotations

from typing import Any

from predictor.model.graph import Quantization
from truth.sketch import Sketch, like, of_type, recipe

_PADDING = ("same", "valid")
_SOFTMAX = {
    "int8": Quantization((1 / 256,), (-128,)),
    "int16": Quantization((1 / 32768,), (0,)),
}


def _common(s: Sketch) -> dict[str, Any]:
    """Arguments that a variant's name sets for every layer with weights."""
    arguments: dict[str, Any] = {"bias": s.feature != "unbiased"}
    if len(s.types) > 1:
        arguments["weights"] = s.types[1]
    return arguments


@recipe("CONV_2D", "float32 float32_dilated int8 int8_wide int8_pointwise int8_row int8_dilated")
@recipe("CONV_2D", "int8_unbiased int8_strided int8_grouped int16 int16_pointwise int16_dilated")
@recipe("CONV_2D", "int8-int4 int8-int4_pointwise int8-int4_dilated")
def _conv_2d(s: Sketch) -> None:
    b, draw = s.builder, s.draw
    kernel: Any = {"pointwise": 1, "row": (1, 3)}.get(s.feature, draw.choice((2, 3, (3, 2))))
    image = s.image(draw.choice((17, 24, 33)) if s.feature == "wide" else None)
    if s.feature == "row":
        image = (1, 1, 4 * draw.randint(3, 6), image[3])
    if s.feature == "grouped":
        _grouped_convolution(s)
        return
    y = b.conv_2d(
        s.input(image),
        draw.randint(1, 20),
        kernel=kernel,
        stride=2 if s.feature == "strided" else 1,
        dilation=2 if s.feature == "dilated" else 1,
        padding=draw.choice(_PADDING),
        activation=draw.choice(("none", "relu", "relu6")),
        **_common(s),
    )
    b.output(y)


def _grouped_convolution(s: Sketch) -> None:
    """Filters as deep as half of the input's channels."""
    depth, channels = 2 * s.draw.randint(1, 6), 2 * s.draw.randint(1, 6)
    x = s.input(s.image(depth))
    _, height, width, _ = x.shape
    scales = Quantization((0.01,) * channels, (0,) * channels)
    filter = s.builder.constant(
        [[[[1] * (depth // 2)] * 3] * 3] * channels, "int8", quantization=scales
    )
    bias = s.builder.constant([7] * channels, "int32", quantization=scales)
    options = {"padding": "same", "stride_w": 1, "stride_h": 1, "fused_activation_function": "none"}
    options |= {"dilation_w_factor": 1, "dilation_h_factor": 1}
    s.apply([x, filter, bias], like(x, (1, height, width, channels)), options=options)


@recipe(
    "DEPTHWISE_CONV_2D", "float32 float32_multiplied int8 int8_3x3 int8_multiplied int8_dilated"
)
@recipe("DEPTHWISE_CONV_2D", "int8_unbiased int8_strided int16 int16_strided int8-int4")
@recipe("DEPTHWISE_CONV_2D", "int8-int4_3x3 int8-int4_multiplied")
def _depthwise_conv_2d(s: Sketch) -> None:
    kernel: Any = 3 if s.feature == "3x3" else s.draw.choice((2, 5, (3, 1), (3, 4)))
    y = s.builder.depthwise_conv_2d(
        s.input(s.image()),
        kernel=kernel,
        multiplier=s.draw.randint(2, 3) if s.feature == "multiplied" else 1,
        stride=2 if s.feature == "strided" else 1,
        dilation=2 if s.feature == "dilated" else 1,
        padding="same" if s.feature == "3x3" else s.draw.choice(_PADDING),
        **_common(s),
    )
    s.builder.output(y)


@recipe("TRANSPOSE_CONV", "float32 int8 int8_valid int8_wide int16")
def _transpose_conv(s: Sketch) -> None:
    x = s.input((1, s.draw.randint(2, 5), s.draw.randint(2, 5), 20 if s.feature == "wide" else 4))
    y = s.builder.transpose_conv(
        x,
        s.draw.randint(1, 6),
        kernel=s.draw.choice((2, 3)),
        stride=s.draw.choice((1, 2)),
        padding="valid" if s.feature == "valid" else "same",
    )
    s.builder.output(y)


@recipe("FULLY_CONNECTED", "float32 int8 int8_unbiased int8_channels int8_batch int8-int4")
@recipe("FULLY_CONNECTED", "int8-int4_channels int16 int16_unbiased int16-int4")
def _fully_connected(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 4) if s.feature == "batch" else 1, s.draw.randint(1, 40)))
    common = _common(s) | {"per_channel": s.feature == "channels"}
    s.builder.output(s.builder.fully_connected(x, s.draw.randint(1, 30), **common))


@recipe("BATCH_MATMUL", "float32 float32_left float32_right int8 int8_left int8_right int16")
def _batch_matmul(s: Sketch) -> None:
    """``left`` and ``right`` are given transposed."""
    batches, rows, depth, columns = (s.draw.randint(1, 6) for _ in range(4))
    left = (batches, depth, rows) if s.feature == "left" else (batches, rows, depth)
    right = (batches, columns, depth) if s.feature == "right" else (batches, depth, columns)
    quantization = Quantization((0.01,), (0,)) if s.type != "float32" else None
    a, b = (s.input(shape, quantization=quantization) for shape in (left, right))
    options = {"adj_x": s.feature == "left", "adj_y": s.feature == "right"}
    s.apply([a, b], of_type((batches, rows, columns), s.type), options=options)


@recipe("AVERAGE_POOL_2D MAX_POOL_2D", "float32 int8 int16 int8_whole")
def _pool(s: Sketch) -> None:
    b, x = s.builder, s.input(s.image())
    method = b.average_pool_2d if s.operator == "AVERAGE_POOL_2D" else b.max_pool_2d
    kernel = None if s.feature == "whole" else s.draw.choice((2, 3, (3, 2)))
    b.output(method(x, kernel=kernel, padding=s.draw.choice(_PADDING)))


@recipe("L2_POOL_2D", "float32")
def _l2_pool(s: Sketch) -> None:
    x = s.input((1, 6, 4, s.draw.randint(1, 9)))
    options = {"padding": "valid", "stride_w": 2, "stride_h": 2, "filter_width": 2}
    options |= {"filter_height": 2, "fused_activation_function": "none"}
    s.apply([x], like(x, (1, 3, 2, x.shape[3])), options=options)


@recipe("SOFTMAX", "float32 int8 int16 int8-int16")
def _softmax(s: Sketch) -> None:
    x = s.input()
    if len(s.types) > 1:
        written = Quantization((1 / 65536,), (-32768,))
        s.apply([x], (x.shape, "int16", written), options={"beta": 1.0})
    else:
        s.apply([x], (x.shape, s.type, _SOFTMAX.get(s.type)), options={"beta": 1.0})


@recipe("LOG_SOFTMAX", "float32 int8")
def _log_softmax(s: Sketch) -> None:
    x = s.input(s.shape(2))
    written = Quantization((16 / 256,), (127,)) if s.type == "int8" else None
    s.apply([x], (x.shape, s.type, written), options={})


@recipe("EMBEDDING_LOOKUP", "float32-float32 int8-int8 int8-float32")
def _embedding_lookup(s: Sketch) -> None:
    rows, width, count = (s.draw.randint(2, 8) for _ in range(3))
    table = s.builder.constant(
        [[1] * width] * rows,
        s.type,
        quantization=Quantization((0.01,), (0,)) if s.type == "int8" else None,
    )
    written = table.quantization if s.types[1] == "int8" else None
    s.apply([s.input((count,), "int32"), table], ((count, width), s.types[1], written))
