"""Names that tell device models from others."""

from __future__ import annotations

PREFIX = "MN_"
"""How the codes of their custom operators begin."""
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Builtin operators with weights, for which they have custom ones."""
