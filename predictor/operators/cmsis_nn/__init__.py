"""TFLM's kernels that call CMSIS-NN. Mirrors micro/kernels/cmsis_nn, whose files take the place of
reference kernels."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
