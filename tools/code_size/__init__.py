"""Measures code sizes: ``python -m tools.code_size --help``."""
