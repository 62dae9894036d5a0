"""Where TFLM's kernels of February 2023 differ from later ones. Mirrors micro/kernels and
micro/kernels/cmsis_nn of that time."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
