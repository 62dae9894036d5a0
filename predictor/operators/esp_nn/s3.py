"""ESP-NN's kernels for the ESP32-S3."""

from predictor.operators.esp_nn.kernels import S3 as OVERLAY

__all__ = ["OVERLAY"]
