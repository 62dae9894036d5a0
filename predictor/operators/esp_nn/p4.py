"""ESP-NN's kernels for the ESP32-P4."""

from predictor.operators.esp_nn.kernels import P4 as OVERLAY

__all__ = ["OVERLAY"]
