"""Where TFLM's kernels of May 2024 differ from later ones. Mirrors micro/kernels and
micro/kernels/cmsis_nn of that time."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
