"""Runs of models in emulation, held against the host and against what was predicted."""
