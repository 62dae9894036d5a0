"""Shapes that operators give, by family: one function an operator, after LiteRT's Prepare.

A rule gives the shapes of an operator's outputs from the shapes of its inputs, its options and such
small values as are known before the model runs.
"""

from predictor.semantics.shape_rules.call import Call, Shape, UnknownShapeError, rule_of

__all__ = ["Call", "Shape", "UnknownShapeError", "rule_of"]
