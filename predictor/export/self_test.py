"""A known input and what TFLM computes of it on this machine: the device's test of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predictor.prediction import Prediction
from predictor.proof.host_check import FLOAT_ROUNDING, Array, host_outputs
from predictor.proof.model_run import random_inputs

_SEED = 0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Inputs and outputs of one inference from a fresh start.

    ``expected`` is None where no output is known; ``reason`` says why. ``tolerances`` has one entry
    for each expected output: how far each float may be off, 0 for equal to the bit.
    """

    inputs: tuple[Array, ...]
    expected: tuple[Array, ...] | None
    tolerances: tuple[float, ...]
    reason: str


def self_test(prediction: Prediction) -> SelfTest:
    """The self-test of a model."""
    inputs = random_inputs(prediction.deployed.graph, _SEED)
    doubts = [note for note in prediction.arena.prepared.notes if "results can be wrong" in note]
    if doubts:
        return SelfTest(inputs, None, (), f"the host may compute something else: {doubts[0]}")
    expected, reason = host_outputs(prediction.deployed.content or b"", inputs)
    if expected is None:
        return SelfTest(inputs, None, (), reason)
    return SelfTest(inputs, expected, tuple(map(_tolerance, expected)), "")


def _tolerance(array: Array) -> float:
    if array.dtype != np.float32:
        return 0.0
    return FLOAT_ROUNDING * float(np.max(np.abs(array), initial=0.0))
