"""Where the kernels of Edge Impulse's SDK differ from TFLM's of February 2023. Mirrors its
tensorflow/lite/micro/kernels."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
