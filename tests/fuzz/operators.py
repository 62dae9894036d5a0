"""Each operator once or twice, as TFLM takes it: the tensors and options of a row make a model.

A tensor is written ``type shape``, with ``k`` in front for a constant of ones and ``v`` for a
variable; ``= values`` stands behind int32 constants whose values count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from flatbuffers import flexbuffers

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.options import options_type
from predictor.model.graph import Graph, Quantization
from predictor.model.schema import BUILTIN_NAMES

_BUILTINS = frozenset(BUILTIN_NAMES.values())
_QUANTIZATION = Quantization((0.05,), (0,))
_BIAS_QUANTIZATION = Quantization((0.05 * 0.05,), (0,))
_QUANTIZED = ("int8", "int16", "int4", "uint8")
_IMAGE = "int8 1,4,4,4"
_FLOATS = "float32 1,4,4,4"


class Row(NamedTuple):
    """``custom``: what the flexbuffer of a custom operator holds."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    options: Mapping[str, Any] | None = None
    custom: Mapping[str, Any] | None = None


_UNARY = {
    "int8": "ABS ELU HARD_SWISH LEAKY_RELU LOGISTIC LOG_SOFTMAX NEG RELU RELU6 RSQRT SOFTMAX TANH "
    "L2_NORMALIZATION QUANTIZE ZEROS_LIKE",
    "float32": "CEIL COS EXP FLOOR LOG ROUND SIN SQRT SQUARE RELU SOFTMAX NEG ZEROS_LIKE",
    "bool": "LOGICAL_NOT",
}
_BINARY = {
    "int8": "ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE ADD_N PRELU",
    "float32": "ADD SUB MUL DIV FLOOR_DIV FLOOR_MOD MAXIMUM SQUARED_DIFFERENCE",
    "bool": "LOGICAL_AND LOGICAL_OR",
}
_COMPARISONS = "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"

_POOL = {
    "padding": 0, "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2
}  # fmt: skip
_STEPS = {"padding": 0, "stride_h": 1, "stride_w": 1}
_DILATED = {**_STEPS, "dilation_h_factor": 2, "dilation_w_factor": 1}
_LSTM = {"cell_clip": 0.0, "fused_activation_function": 4}

ROWS: Sequence[tuple[str, Row]] = (
    ("CONV_2D", Row([_IMAGE, "k int8 8,3,3,4", "k int32 8"], ["int8 1,4,4,8"], _DILATED)),
    ("CONV_2D", Row([_IMAGE, "k int8 8,1,1,4"], ["int8 1,4,4,8"], {**_DILATED, **_STEPS,
        "dilation_h_factor": 1})),
    ("CONV_2D", Row(["int16 1,4,4,4", "k int8 8,3,3,4", "k int64 8"], ["int16 1,4,4,8"],
        _DILATED)),
    ("CONV_2D", Row(["float32 2,4,4,4", "k float32 6,3,3,2"], ["float32 2,4,4,6"], _DILATED)),
    ("DEPTHWISE_CONV_2D", Row([_IMAGE, "k int8 1,3,3,4", "k int32 4"], [_IMAGE],
        {**_STEPS, "depth_multiplier": 1, "dilation_h_factor": 1, "dilation_w_factor": 1})),
    ("DEPTHWISE_CONV_2D", Row([_FLOATS, "k float32 1,3,3,8", "k float32 8"],
        ["float32 1,4,4,8"], {**_DILATED, "depth_multiplier": 2})),
    ("TRANSPOSE_CONV", Row(["k int32 4 = 1,8,8,2", "k int8 2,3,3,4", _IMAGE, "k int32 2"],
        ["int8 1,8,8,2"], {"padding": 0, "stride_h": 2, "stride_w": 2})),
    ("FULLY_CONNECTED", Row(["int8 2,16", "k int8 5,16", "k int32 5"], ["int8 2,5"], {})),
    ("FULLY_CONNECTED", Row(["float32 2,16", "k float32 5,16"], ["float32 2,5"], {})),
    ("BATCH_MATMUL", Row(["int8 2,3,4", "int8 2,4,5"], ["int8 2,3,5"], {"adj_y": False})),
    ("BATCH_MATMUL", Row(["float32 3,4", "k float32 5,4"], ["float32 3,5"], {"adj_y": True})),
    ("AVERAGE_POOL_2D", Row([_IMAGE], ["int8 1,2,2,4"], _POOL)),
    ("MAX_POOL_2D", Row([_IMAGE], ["int8 1,2,2,4"], _POOL)),
    ("L2_POOL_2D", Row([_FLOATS], ["float32 1,2,2,4"], _POOL)),
    ("ARG_MAX", Row([_IMAGE, "k int32 1"], ["int32 1,4,4"], {"output_type": 2})),
    ("ARG_MIN", Row([_FLOATS, "k int32 1"], ["int32 1,4,4"], {"output_type": 2})),
    ("BATCH_TO_SPACE_ND", Row(["int8 4,2,2,1", "k int32 2 = 2,2", "k int32 2,2 = 0,0,0,0"],
        ["int8 1,4,4,1"])),
    ("SPACE_TO_BATCH_ND", Row(["int8 1,4,4,1", "k int32 2 = 2,2", "k int32 2,2 = 0,0,0,0"],
        ["int8 4,2,2,1"])),
    ("SPACE_TO_DEPTH", Row([_IMAGE], ["int8 1,2,2,16"], {"block_size": 2})),
    ("DEPTH_TO_SPACE", Row([_IMAGE], ["int8 1,8,8,1"], {"block_size": 2})),
    ("BROADCAST_ARGS", Row(["k int32 3 = 1,2,3", "k int32 3 = 4,1,3"], ["int32 3"])),
    ("BROADCAST_TO", Row(["int8 1,4", "k int32 2 = 3,4"], ["int8 3,4"], {})),
    ("CAST", Row([_IMAGE], [_FLOATS], {"in_data_type": 9, "out_data_type": 0})),
    ("CIRCULAR_BUFFER", Row(["int8 1,1,1,4"], ["int8 1,4,1,4"], None, {"cycles_max": 1})),
    ("CONCATENATION", Row([_IMAGE, _IMAGE], ["int8 1,4,4,8"], {"axis": 3})),
    ("CONCATENATION", Row([_IMAGE, "int8 1,2,4,4"], ["int8 1,6,4,4"], {"axis": 1})),
    ("CUMSUM", Row([_IMAGE, "k int32 1"], [_IMAGE], {"exclusive": False, "reverse": True})),
    ("DEQUANTIZE", Row([_IMAGE], [_FLOATS], {})),
    ("QUANTIZE", Row([_FLOATS], [_IMAGE], {})),
    ("DYNAMIC_UPDATE_SLICE", Row(["int8 4,4", "int8 2,2", "int32 2"], ["int8 4,4"], {})),
    ("EMBEDDING_LOOKUP", Row(["int32 3", "k int8 5,4"], ["int8 3,4"], {})),
    ("EXPAND_DIMS", Row(["int8 4,4", "k int32 1"], ["int8 4,1,4"], {})),
    ("FILL", Row(["k int32 2 = 3,4", "int8 "], ["int8 3,4"], {})),
    ("GATHER", Row([_IMAGE, "int32 3"], ["int8 1,3,4,4"], {"axis": 1, "batch_dims": 0})),
    ("GATHER_ND", Row(["int8 4,4", "k int32 2,1 = 0,3"], ["int8 2,4"], {})),
    ("MEAN", Row([_IMAGE, "k int32 2 = 1,2"], ["int8 1,4"], {"keep_dims": False})),
    ("MEAN", Row([_FLOATS, "k int32 2 = 1,2"], ["float32 1,1,1,4"], {"keep_dims": True})),
    ("SUM", Row([_IMAGE, "k int32 1"], ["int8 1,1,4,4"], {"keep_dims": True})),
    ("REDUCE_MAX", Row([_IMAGE, "k int32 1"], ["int8 1,1,4,4"], {"keep_dims": True})),
    ("REDUCE_MIN", Row([_FLOATS, "k int32 1"], ["float32 1,4,4"], {"keep_dims": False})),
    ("REDUCE_ALL", Row(["bool 1,4,4", "k int32 1"], ["bool 1,4"], {"keep_dims": False})),
    ("MIRROR_PAD", Row(["int8 4,4", "k int32 2,2 = 1,1,1,1"], ["int8 6,6"], {"mode": 0})),
    ("PAD", Row([_IMAGE, "k int32 4,2 = 0,0,1,1,2,0,0,0"], ["int8 1,6,6,4"], {})),
    ("PADV2", Row([_IMAGE, "k int32 4,2 = 0,0,1,1,0,0,0,0", "int8 "], ["int8 1,6,4,4"], {})),
    ("PACK", Row(["int8 4,4", "int8 4,4"], ["int8 2,4,4"], {"axis": 0, "values_count": 2})),
    ("UNPACK", Row(["int8 2,4"], ["int8 4", "int8 4"], {"axis": 0, "num": 2})),
    ("RESHAPE", Row([_IMAGE, "k int32 2 = 1,-1"], ["int8 1,64"], {"new_shape": (1, -1)})),
    ("RESIZE_BILINEAR", Row([_IMAGE, "k int32 2 = 8,8"], ["int8 1,8,8,4"], {})),
    ("RESIZE_NEAREST_NEIGHBOR", Row([_IMAGE, "k int32 2 = 8,8"], ["int8 1,8,8,4"], {})),
    ("REVERSE_V2", Row([_IMAGE, "k int32 1"], [_IMAGE], {})),
    ("SELECT_V2", Row(["bool 1,4,4,4", _IMAGE, _IMAGE], [_IMAGE], {})),
    ("SHAPE", Row([_IMAGE], ["int32 4"], {"out_type": 2})),
    ("SLICE", Row(["int8 4,4", "k int32 2", "k int32 2 = 2,2"], ["int8 2,2"], {})),
    ("SPLIT", Row(["k int32 1", "int8 1,4,4"], ["int8 1,2,4", "int8 1,2,4"], {"num_splits": 2})),
    ("SPLIT_V", Row(["int8 1,4,4", "k int32 2 = 1,3", "k int32 1"], ["int8 1,1,4", "int8 1,3,4"],
        {"num_splits": 2})),
    ("SQUEEZE", Row(["int8 1,4,1"], ["int8 4"], {"squeeze_dims": (0, 2)})),
    ("STRIDED_SLICE", Row(["int8 4,4", "k int32 2 = 0,0", "k int32 2 = 4,4", "k int32 2 = 2,1"],
        ["int8 2,4"], {"begin_mask": 0})),
    ("TRANSPOSE", Row(["int8 1,2,3,4", "k int32 4 = 0,3,1,2"], ["int8 1,4,2,3"], {})),
    ("SVDF", Row(["int8 1,4", "k int8 8,4", "k int16 8,3", "k int32 8", "v int16 1,24"],
        ["int8 1,8"], {"rank": 1, "fused_activation_function": 1})),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", Row(
        ["float32 1,3,4", *["k float32 2,4"] * 4, *["k float32 2,2"] * 4, *[""] * 3,
         *["k float32 2"] * 4, *[""] * 2, *["v float32 1,2"] * 2, *[""] * 4],
        ["float32 1,3,2"], _LSTM)),
    ("VAR_HANDLE", Row([], ["resource "], {"container": "", "shared_name": "a"})),
    ("TFLite_Detection_PostProcess", Row(
        ["float32 1,6,4", "float32 1,6,3", "k float32 6,4"],
        ["float32 1,10,4", "float32 1,10", "float32 1,10", "float32 1"], None,
        {"max_detections": 10, "max_classes_per_detection": 1, "num_classes": 2,
         "nms_score_threshold": 0.1, "nms_iou_threshold": 0.6, "y_scale": 10.0, "x_scale": 10.0,
         "h_scale": 5.0, "w_scale": 5.0, "use_regular_nms": False, "detections_per_class": 100})),
    ("SignalWindow", Row(["int16 1,8", "k int16 8"], ["int16 1,8"], None, {"shift": 12})),
    ("SignalEnergy", Row(["int16 16"], ["uint32 8"], None, {"end_index": 8, "start_index": 0})),
    ("SignalFftAutoScale", Row(["int16 16"], ["int16 16", "int32 "], None, {})),
    ("SignalFilterBankLog", Row(["uint32 4"], ["int16 4"], None,
        {"input_correction_bits": 3, "output_scale": 65536})),
    ("SignalDelay", Row(["int16 1,4"], ["int16 1,4"], None, {"delay_length": 3})),
    ("SignalFramer", Row(["int16 1,8"], ["int16 1,1,16", "bool "], None,
        {"frame_size": 16, "frame_step": 8, "prefill": True})),
    ("SignalStacker", Row(["int16 4"], ["int16 8", "bool "], None,
        {"num_channels": 4, "stacker_left_context": 1, "stacker_right_context": 0,
         "stacker_step": 1})),
    ("SignalRfft", Row(["int16 16"], ["int16 18"], None, {"T": 7, "fft_length": 16})),
    ("SignalIrfft", Row(["int16 18"], ["int16 16"], None, {"T": 7, "fft_length": 16})),
    ("SignalOverlapAdd", Row(["int16 1,1,16"], ["int16 1,8"], None, {"T": 7, "frame_step": 8})),
    ("SignalFilterBankSquareRoot", Row(["uint64 4", "int32 "], ["uint32 4"], None, {})),
)  # fmt: skip


def _short_rows() -> Iterator[tuple[str, Row]]:
    """Operators whose tensors are all alike."""
    for table, count in ((_UNARY, 1), (_BINARY, 2)):
        for kind, names in table.items():
            for name in names.split():
                yield name, Row([f"{kind} 1,4,4,4"] * count, [f"{kind} 1,4,4,4"], {})
    for name in _COMPARISONS.split():
        yield name, Row([_IMAGE, _IMAGE], ["bool 1,4,4,4"], {})


def models() -> Iterator[Graph]:
    """A model for each row."""
    for name, row in (*ROWS, *_short_rows()):
        yield model(name, row)


def model(name: str, row: Row) -> Graph:
    """A model of one operator."""
    builder = ModelBuilder(name)
    inputs = [_tensor(builder, text) if text else None for text in row.inputs]
    outputs = [_spec(text) for text in row.outputs]
    custom = None if row.custom is None else bytes(flexbuffers.Dumps(dict(row.custom)))
    is_custom = name not in _BUILTINS
    has_table = not is_custom and options_type(name) is not None
    options = row.options if has_table else None
    written = builder.operator(
        name, inputs, outputs, options, is_custom=is_custom, custom_options=custom
    )
    builder.output(*written)
    return builder.graph()


def _spec(text: str) -> tuple[tuple[int, ...], str, Quantization | None]:
    kind, _, dims = text.partition(" ")
    shape = tuple(int(dim) for dim in dims.split(",") if dim)
    return shape, kind, _QUANTIZATION if kind in _QUANTIZED else None


def _tensor(builder: ModelBuilder, text: str) -> TensorRef:
    text, _, values = text.partition(" = ")
    is_constant, is_variable = text.startswith("k "), text.startswith("v ")
    shape, kind, quantization = _spec(text[2:] if is_constant or is_variable else text)
    if is_variable:
        return builder.variable(shape, kind, quantization=quantization)
    if not is_constant:
        return builder.input(shape, kind, quantization=quantization)
    if not values and kind in ("int32", "int64"):
        quantization = _BIAS_QUANTIZATION
    array = np.array([int(value) for value in values.split(",")]) if values else np.ones(shape)
    return builder.constant(array.reshape(shape), kind, quantization=quantization)
