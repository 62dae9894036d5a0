"""Holds a network over a hop against the one over the window, on successive inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictor.model.tflite_reader import read_graph
from predictor.proof.host_check import Array
from predictor.proof.host_runtime import HostRuntime, is_installed
from predictor.proof.plan_proof import Check, proof_inputs

_NAME = "windows on this host"


def hop_inputs(hop: bytes, count: int) -> list[Array]:
    """New rows of successive inferences: extremes first, then random ones."""
    return [arrays[0] for arrays in proof_inputs(read_graph(hop), count)]


def windows(rows: Sequence[Array], window_rows: int, like: Array) -> list[Array | None]:
    """The window at each hop, in the shape of ``like``; None until there are enough rows."""
    seen = np.concatenate(list(rows), axis=1)
    found: list[Array | None] = []
    end = 0
    for part in rows:
        end += part.shape[1]
        whole = seen[:, end - window_rows : end] if end >= window_rows else None
        found.append(None if whole is None else whole.reshape(like.shape))
    return found


def prove_windows(
    window: bytes,
    hop: bytes,
    warm_up: int,
    count: int,
    firmware: Sequence[tuple[bytes, ...]] = (),
) -> Check:
    """Runs both in TFLM's runtime on this host: the one over the hop keeps its state.

    Args:
        warm_up: hops after which outputs are to be those of the window.
        count: windows that are compared.
        firmware: what firmware computed with the one over the hop in its first inferences.
    """
    if not is_installed("tflite_micro"):
        return Check(_NAME, 0, None, "pip install tflite-micro to compare on this host")
    rows = hop_inputs(hop, warm_up - 1 + count)
    main = read_graph(window).main
    like = np.empty(main.tensors[main.inputs[0]].shape, rows[0].dtype)
    window_rows = _window_rows(like, rows[0])
    with HostRuntime("tflite_micro") as runtime:
        answer = runtime.run_sequence(hop, [(part,) for part in rows])
        if answer.error:
            return Check(_NAME, 0, None, f"it does not run the model: {answer.error}")
        for step, (own, outputs) in enumerate(zip(firmware, answer.runs, strict=False)):
            if own != tuple(array.tobytes() for array in outputs):
                return Check(_NAME, step, False, f"firmware computes another hop {step + 1}")
        for step, whole in enumerate(windows(rows, window_rows, like)):
            if step + 1 < warm_up or whole is None:
                continue
            expected = runtime.run(window, (whole,))
            pairs = zip(expected.outputs, answer.runs[step], strict=True)
            if expected.error or any(a.tobytes() != b.tobytes() for a, b in pairs):
                return Check(_NAME, step, False, f"outputs of hop {step + 1} differ")
    finding = f"equal to the bit from hop {warm_up} on"
    if firmware:
        finding += f"; the first {len(firmware)} hops in firmware, too"
    return Check(_NAME, count, True, finding)


def _window_rows(window: Array, rows: Array) -> int:
    """Rows of the window, of which some are given."""
    return int(window.size // (rows.size // rows.shape[1]))
