"""TFLM's reference kernels: one module per family, one row per operator. Mirrors micro/kernels and
signal/micro/kernels."""

from predictor.operators.registry import Overlay

OVERLAY = Overlay(__name__)
register = OVERLAY.register
