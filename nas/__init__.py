"""Differentiable architecture search whose every result fits a microcontroller.

Needs the extra ``nas`` (TensorFlow); importing this package does not load it. Everything that
says what a network takes comes from :mod:`predictor`.
"""

from __future__ import annotations
