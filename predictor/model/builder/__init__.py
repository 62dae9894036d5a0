"""Builds ``.tflite`` models from a short description, without TensorFlow."""

from __future__ import annotations

from predictor.model.builder.model_builder import ModelBuilder, SubgraphBuilder
from predictor.model.builder.tensors import TensorRef

__all__ = ["ModelBuilder", "SubgraphBuilder", "TensorRef"]
