"""How the size of an arena comes about, in lines for a comment."""

from __future__ import annotations

from collections.abc import Iterator

from predictor.errors import RevisionError
from predictor.memory.revision import Revision
from predictor.prediction import Prediction

_ASSERTED = {
    "TfLiteTensor": "TfLiteTensor",
    "TfLiteEvalTensor": "TfLiteEvalTensor",
    "TfLiteNode": "TfLiteNode",
    "NodeAndRegistration": "tflite::NodeAndRegistration",
}
"""Structs whose sizes tell TFLM's revision and how it was compiled, and their names in C++."""


def derivation(prediction: Prediction) -> Iterator[str]:
    """Bytes and what they are for, one a line."""
    arena = prediction.arena
    yield _line(arena.nonpersistent_bytes, "tensors and scratch buffers, as TFLM plans them")
    for kind, usage in arena.breakdown.items():
        if usage.used_bytes:
            yield _line(usage.used_bytes, f"persistent: {kind}, {usage.count} of them")
    yield _line(arena.used_bytes, "what arena_used_bytes() returns: the sum")
    more = arena.required_bytes - arena.used_bytes
    yield _line(more, "more while AllocateTensors runs, and up to a multiple of 16")
    yield _line(arena.required_bytes, "kTensorArenaSize")


def _line(size_bytes: int, words: str) -> str:
    return f"{size_bytes:>10,}  {words}"


def struct_sizes(revision: Revision) -> dict[str, int]:
    """Bytes of the structs that are checked when the model is compiled, by their names in C++."""
    sizes = {}
    for struct, name in _ASSERTED.items():
        try:
            sizes[name] = revision.structs.size_of(struct)
        except RevisionError:  # that revision has none
            continue
    return sizes
