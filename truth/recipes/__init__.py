"""Recipes of models: one function for each family of operators."""
