"""ESP-NN's kernels for all chips."""

from predictor.operators.esp_nn.kernels import GENERIC as OVERLAY

__all__ = ["OVERLAY"]
