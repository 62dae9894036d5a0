"""Which module of this package holds the row of which operator.

Modules register their rows when they are imported, and are imported when first needed: a model
uses a handful of the operators, and start-up time is a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activations": ("ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "RELU", "RELU6", "TANH"),
        "broadcast": (
            "ADD",
            "ADD_N",
            "DIV",
            "FLOOR_DIV",
            "FLOOR_MOD",
            "MAXIMUM",
            "MINIMUM",
            "MUL",
            "PRELU",
            "SELECT_V2",
            "SQUARED_DIFFERENCE",
            "SUB",
        ),
        "circular_buffer": ("CIRCULAR_BUFFER",),
        "comparisons": (
            "EQUAL",
            "GREATER",
            "GREATER_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "LOGICAL_AND",
            "LOGICAL_OR",
            "NOT_EQUAL",
        ),
        "control_flow": ("CALL_ONCE", "IF", "WHILE"),
        "conv": ("CONV_2D",),
        "decode": ("TFLM_DECODE",),
        "depthwise_conv": ("DEPTHWISE_CONV_2D",),
        "detection": ("TFLite_Detection_PostProcess",),
        "elementwise": (
            "ABS",
            "CEIL",
            "COS",
            "EXP",
            "FILL",
            "FLOOR",
            "LOG",
            "LOGICAL_NOT",
            "NEG",
            "ROUND",
            "RSQRT",
            "SIN",
            "SQRT",
            "SQUARE",
            "ZEROS_LIKE",
        ),
        "fully_connected": ("FULLY_CONNECTED",),
        "gather": ("EMBEDDING_LOOKUP", "GATHER", "GATHER_ND"),
        "matmul": ("BATCH_MATMUL",),
        "movement": (
            "BROADCAST_ARGS",
            "BROADCAST_TO",
            "CONCATENATION",
            "PACK",
            "REVERSE_V2",
            "UNPACK",
        ),
        "pad": ("MIRROR_PAD", "PAD", "PADV2"),
        "pooling": ("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"),
        "quantize": ("CAST", "DEQUANTIZE", "QUANTIZE"),
        "recurrent": ("SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
        "reduce": (
            "ARG_MAX",
            "ARG_MIN",
            "CUMSUM",
            "L2_NORMALIZATION",
            "MEAN",
            "REDUCE_ALL",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "SUM",
        ),
        "resize": ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
        "shape": ("EXPAND_DIMS", "RESHAPE", "SHAPE", "SQUEEZE"),
        "signal": (
            "SignalEnergy",
            "SignalFftAutoScale",
            "SignalFilterBank",
            "SignalFilterBankLog",
            "SignalFilterBankSpectralSubtraction",
            "SignalFilterBankSquareRoot",
            "SignalPCAN",
            "SignalWindow",
        ),
        "signal_state": (
            "SignalDelay",
            "SignalFramer",
            "SignalIrfft",
            "SignalOverlapAdd",
            "SignalRfft",
            "SignalStacker",
        ),
        "slicing": ("DYNAMIC_UPDATE_SLICE", "SLICE", "STRIDED_SLICE"),
        "softmax": ("LOG_SOFTMAX", "SOFTMAX"),
        "space": (
            "BATCH_TO_SPACE_ND",
            "DEPTH_TO_SPACE",
            "SPACE_TO_BATCH_ND",
            "SPACE_TO_DEPTH",
        ),
        "split": ("SPLIT", "SPLIT_V"),
        "transpose": ("TRANSPOSE",),
        "transpose_conv": ("TRANSPOSE_CONV",),
        "variables": ("ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE"),
    }
)

FAMILY_OF: Mapping[str, str] = MappingProxyType(
    {name: family for family, operators in FAMILIES.items() for name in operators}
)
