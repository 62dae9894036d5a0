"""Operators on single elements, with broadcasting, and reductions."""

from __future__ import annotations

from typing import Any

from predictor.model.builder import TensorRef
from predictor.model.graph import Quantization, TensorType
from truth.sketch import Sketch, like, of_type, recipe

_FLOATS_AND_INTS = "float32 int8 int16 int32"
_LOGISTIC = {"int8": Quantization((1 / 256,), (-128,)), "int16": Quantization((1 / 32768,), (0,))}
_TANH = {"int8": Quantization((1 / 128,), (0,)), "int16": Quantization((1 / 32768,), (0,))}


def _pair(s: Sketch) -> tuple[TensorRef, TensorRef]:
    """Two inputs: of equal shape, or the second one to be broadcast."""
    shape = s.shape(4 if s.feature else None)
    other = (*((1,) * (len(shape) - 1)), shape[-1]) if s.feature == "broadcast" else shape
    return s.input(shape), s.input(other)


@recipe("ADD SUB MUL", f"{_FLOATS_AND_INTS} float32_broadcast int8_broadcast int16_broadcast")
@recipe("DIV", "float32 int8 int32")
@recipe("SQUARED_DIFFERENCE", f"{_FLOATS_AND_INTS} int8_broadcast")
@recipe("MAXIMUM MINIMUM", f"{_FLOATS_AND_INTS} int64 int8_broadcast")
@recipe("FLOOR_DIV FLOOR_MOD", "float32")
def _binary(s: Sketch) -> None:
    a, b = _pair(s)
    options: dict[str, Any] | None = None
    if s.operator in ("ADD", "SUB", "MUL", "DIV"):
        options = {"fused_activation_function": s.draw.choice(("none", "relu", "relu6"))}
    if s.operator in ("ADD", "SUB"):
        options = (options or {}) | {"pot_scale_int16": False}
    s.apply([a, b], like(a), options=options)


@recipe("EQUAL NOT_EQUAL", "bool float32 int8")
@recipe("GREATER", "float32 int8 int16 int32 int64")
@recipe("GREATER_EQUAL LESS LESS_EQUAL", "float32 int8 int64")
@recipe("LOGICAL_AND LOGICAL_OR", "bool")
def _comparison(s: Sketch) -> None:
    a, b = _pair(s)
    s.apply([a, b], (a.shape, "bool"))


@recipe("ADD_N", "float32 int8")
def _sum(s: Sketch) -> None:
    shape = s.shape()
    inputs = [s.input(shape) for _ in range(s.draw.randint(2, 5))]
    s.apply(inputs, like(inputs[0]))


@recipe("PRELU", "float32 int8 int16")
def _prelu(s: Sketch) -> None:
    x = s.input(s.shape(4))
    alpha = s.input((1, 1, x.shape[-1]), "int8" if s.type == "int16" else s.type)
    s.apply([x, alpha], like(x))


@recipe("SELECT_V2", "float32 int8 int16 int8_broadcast")
def _select(s: Sketch) -> None:
    x = s.input(s.shape(3))
    condition = s.input((1, 1, x.shape[-1]) if s.feature else x.shape, "bool")
    s.apply([condition, x, s.input(x.shape)], like(x))


@recipe("ABS RSQRT", "float32 int8 int16")
@recipe("CEIL COS EXP FLOOR LOG NEG ROUND SIN SQRT SQUARE", "float32")
@recipe("LOGICAL_NOT", "bool")
@recipe("RELU RELU6 LEAKY_RELU", "float32 int8 int16")
@recipe("HARD_SWISH ELU", "float32 int8")
@recipe("ZEROS_LIKE", "float32 int8 int32 int64")
def _function(s: Sketch) -> None:
    x = s.input()
    options = {"alpha": 0.125} if s.operator == "LEAKY_RELU" else None
    s.apply([x], like(x), options=options)


@recipe("LOGISTIC TANH", "float32 int8 int16")
def _sigmoid(s: Sketch) -> None:
    x = s.input()
    fixed = _LOGISTIC if s.operator == "LOGISTIC" else _TANH
    s.apply([x], (x.shape, s.type, fixed.get(s.type)))


@recipe("FILL", "float32 int8 int32")
def _fill(s: Sketch) -> None:
    shape, value = s.shape(), s.input(())
    s.apply([s.builder.constant(shape, "int32"), value], like(value, shape))


@recipe("CAST", "float32-int16 int8-float32 bool-int32 int32-int8 int16-uint32")
def _cast(s: Sketch) -> None:
    x, (_, to) = s.input(), s.types
    types = {"in_data_type": TensorType[s.type.upper()], "out_data_type": TensorType[to.upper()]}
    s.apply([x], of_type(x.shape, to), options=types)


@recipe("QUANTIZE", "float32-int8 float32-int16 int8-int8 int8-int16 int8-int32 int8-uint8")
@recipe("QUANTIZE", "int16-int8 int16-int16 int16-int32 int32-int8 int32-int16 uint8-int8")
@recipe("DEQUANTIZE", "int8-float32 int16-float32 uint8-float32")
def _requantize(s: Sketch) -> None:
    given = None if s.type == "float32" else Quantization((0.03125,), (0,))
    x = s.input(quantization=given)
    written = None if s.types[1] == "float32" else Quantization((0.0625,), (0,))
    s.apply([x], (x.shape, s.types[1], written), options={})


@recipe("MEAN SUM", "float32 int8 int16 int8_kept")
@recipe("REDUCE_MAX REDUCE_MIN", "float32 int8")
@recipe("REDUCE_ALL", "bool")
def _reduction(s: Sketch) -> None:
    x = s.input(s.shape(4))
    axes = s.draw.choice(((1, 2), (1,), (2,), (3,)))
    keeps = s.feature == "kept"
    kept = [1 if i in axes else dim for i, dim in enumerate(x.shape) if keeps or i not in axes]
    s.apply([x, s.builder.constant(axes, "int32")], like(x, kept), options={"keep_dims": keeps})


@recipe("ARG_MAX ARG_MIN", "float32 int8")
def _argument(s: Sketch) -> None:
    x = s.input(s.shape(3))
    axis = s.builder.constant(-1, "int32")
    s.apply([x, axis], (x.shape[:-1], "int32"), options={"output_type": TensorType.INT32})


@recipe("CUMSUM", "float32 int8")
def _cumsum(s: Sketch) -> None:
    x = s.input()
    s.apply([x, s.builder.constant(0, "int32")], like(x), options={})


@recipe("L2_NORMALIZATION", "float32 int8")
def _l2_normalization(s: Sketch) -> None:
    x = s.input(s.shape(2))
    s.apply([x], of_type(x.shape, s.type, 1 / 128), options={"fused_activation_function": "none"})
