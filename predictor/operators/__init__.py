"""What is known about each operator of TFLM: one module per family, one row per operator.

Importing this package fills the registry.
"""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "activations",
    "broadcast",
    "comparisons",
    "control_flow",
    "conv",
    "decode",
    "depthwise_conv",
    "detection",
    "elementwise",
    "fully_connected",
    "gather",
    "matmul",
    "movement",
    "pad",
    "pooling",
    "quantize",
    "recurrent",
    "reduce",
    "resize",
    "shape",
    "signal",
    "softmax",
    "split",
    "transpose",
    "transpose_conv",
    "variables",
)

for _family in FAMILIES:
    if __import__("importlib.util").util.find_spec(f"{__name__}.{_family}"): import_module(f"{__name__}.{_family}")
