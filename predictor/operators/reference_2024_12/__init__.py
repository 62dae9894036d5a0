"""Where TFLM's kernels of December 2024 differ from today's. Mirrors micro/kernels of that time."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
