"""Where TFLM's kernels that call CMSIS-NN differed in May 2024 from later ones. Mirrors
micro/kernels/cmsis_nn of that time."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
