"""Holds outputs of firmware against TFLM's runtime on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from predictor.errors import MissingDependencyError
from predictor.model.device.device_model import (
    is_device_model,
    original_model,
)
from predictor.model.device.layers import has_int4_activations
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.offline_plan import without_plan
from predictor.proof.host_runtime import HostRuntime, is_installed

FLOAT_ROUNDING = 1e-5
"""Largest difference of float outputs, relative to the value and to the largest value."""

Array = npt.NDArray[np.generic]


class HostCheck(Enum):
    """How the outputs compare with TFLM's host runtime."""

    EQUAL = "equal to the bit"
    CLOSE = "equal within float rounding"
    DIFFERENT = "different"
    UNCHECKED = "not checked"


def compare_with_host(
    content: bytes, inputs: tuple[Array, ...], outputs: tuple[bytes, ...]
) -> tuple[HostCheck, str]:
    """How the outputs compare with those of TFLM's runtime on this machine, and why or where."""
    expected, reason = host_outputs(content, inputs)
    return (HostCheck.UNCHECKED, reason) if expected is None else compare(expected, outputs)


def host_outputs(content: bytes, inputs: tuple[Array, ...]) -> tuple[tuple[Array, ...] | None, str]:
    """What TFLM's runtime on this machine computes; None, and why, where it does not.

    That runtime has no custom operators of the project's kernels: it gets the model from which a
    device model was made. An offline plan is taken out: its tensors may overlap as only the
    kernels allow for which it was made.
    """
    graph = read_graph(content)
    plain = without_plan(original_model(graph) if is_device_model(graph) else graph)
    if has_int4_activations(plain):
        return None, "TFLM's runtime has no kernels for int4 activations"
    if plain is not graph:
        content = write_model(plain)
    if not is_installed("tflite_micro"):
        return None, "pip install tflite-micro to compare with TFLM on this host"
    try:
        with HostRuntime("tflite_micro") as runtime:
            answer = runtime.run(content, inputs)
    except MissingDependencyError as error:
        return None, str(error)
    if answer.error:
        return None, f"the host runtime failed: {answer.error}"
    return answer.outputs, ""


def compare(expected_outputs: Sequence[Array], outputs: Sequence[bytes]) -> tuple[HostCheck, str]:
    """How outputs compare with those expected, and where they differ."""
    check = HostCheck.EQUAL
    for position, (array, emulated) in enumerate(zip(expected_outputs, outputs, strict=True)):
        expected = np.ascontiguousarray(array)
        if expected.tobytes() == emulated:
            continue
        if not _is_close(expected, emulated):
            difference = _difference(expected.tobytes(), emulated)
            return HostCheck.DIFFERENT, f"output {position}: {difference}"
        check = HostCheck.CLOSE
    return check, f"{len(outputs)} outputs"


def _is_close(expected: Array, emulated: bytes) -> bool:
    """Whether floats differ by rounding only: the host contracts other products and sums."""
    if expected.dtype != np.float32 or expected.nbytes != len(emulated):
        return False
    values = np.frombuffer(emulated, np.float32).reshape(expected.shape)
    scale = float(np.max(np.abs(expected), initial=0.0))
    return bool(np.allclose(values, expected, rtol=FLOAT_ROUNDING, atol=FLOAT_ROUNDING * scale))


def _difference(expected: bytes, emulated: bytes) -> str:
    if len(expected) != len(emulated):
        return f"{len(emulated)} bytes instead of {len(expected)}"
    first = next(
        i for i, pair in enumerate(zip(expected, emulated, strict=True)) if len({*pair}) > 1
    )
    count = sum(a != b for a, b in zip(expected, emulated, strict=True))
    return f"{count} of {len(expected)} bytes differ, the first at {first}"
