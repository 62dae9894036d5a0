"""Figures of the models as measured, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from predictor.memory.arena_report import (
    BUILTIN_DATA,
    EVAL_TENSORS,
    NODES,
    PERSISTENT_BUFFERS,
    PERSISTENT_TENSORS,
    QUANTIZATION,
    RUNTIME_OBJECTS,
    SCRATCH_HANDLES,
    VARIABLES,
)

KINDS: Mapping[str, str] = MappingProxyType(
    {
        RUNTIME_OBJECTS: "runtime",
        EVAL_TENSORS: "eval",
        NODES: "nodes",
        BUILTIN_DATA: "builtin",
        PERSISTENT_BUFFERS: "buffer",
        SCRATCH_HANDLES: "handles",
        VARIABLES: "variable",
        PERSISTENT_TENSORS: "tensor",
        QUANTIZATION: "quantization",
    }
)
"""What the files call the kinds of allocations from the tail."""
FOLDER = Path(__file__).parent / "figures"
Allocation = tuple[str, int, int]
"""Kind, size in bytes and alignment of what was taken from the arena's tail."""
_ALIGNMENT = 4
"""Of most allocations; the files tell others only."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What TFLM did with one model.

    ``refused`` is what TFLM logged where it refuses the model; nothing else is known then.
    ``required_bytes`` is the smallest arena, in steps of 16 bytes, in which AllocateTensors
    succeeds. ``persistent`` is a :func:`persistent_text`. ``plan`` has size, first and last step
    and offset of each planned buffer: tensors by index, then scratch buffers. ``runs`` tells
    whether Invoke succeeds on inputs of which each element is 1.
    """

    refused: str | None = None
    used_bytes: int = 0
    head_bytes: int = 0
    tail_bytes: int = 0
    required_bytes: int = 0
    persistent: str = ""
    plan: tuple[tuple[int, int, int, int], ...] = ()
    runs: bool = False


def persistent_text(allocations: Iterable[Allocation]) -> str:
    """Allocations in their order: of each kind in a row the sizes, ``:`` alignment where not 4."""
    parts = []
    for kind, group in groupby(allocations, key=itemgetter(0)):
        sizes = (
            f"{size}" if alignment == _ALIGNMENT else f"{size}:{alignment}"
            for _, size, alignment in group
        )
        parts.append(f"{KINDS[kind]} {' '.join(sizes)}")
    return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Record:
    """One model: the digest of its file, and its figures on each target (``kernels/core``)."""

    digest: str
    figures: Mapping[str, Figures]


def path_of(revision: str) -> Path:
    """The file of a TFLM revision."""
    return FOLDER / f"{revision}.json"


def read(path: Path) -> tuple[str, dict[str, Record]]:
    """What a file says of how its figures were measured, and its records by name of the model."""
    content = json.loads(path.read_text(encoding="utf-8"))
    records = {name: _record(item) for name, item in content["models"].items()}
    return content["source"], records


def _record(item: dict[str, Any]) -> Record:
    figures: dict[str, Figures] = {}
    for group in item["figures"]:
        told = group["is"]
        plan = tuple(tuple(buffer) for buffer in told.get("plan", ()))
        figures |= dict.fromkeys(group["on"], Figures(**(told | {"plan": plan})))
    return Record(item["digest"], figures)


def write(path: Path, source: str, records: Mapping[str, Record]) -> None:
    """Writes a file, a line for each model; equal figures of several targets stand once."""
    lines = []
    for name in sorted(records):
        record = records[name]
        groups: dict[Figures, list[str]] = {}
        for target in sorted(record.figures):
            groups.setdefault(record.figures[target], []).append(target)
        item = {
            "digest": record.digest,
            "figures": [{"on": on, "is": _told(figures)} for figures, on in groups.items()],
        }
        lines.append(f"{json.dumps(name)}: {json.dumps(item, separators=(',', ':'))}")
    text = f'{{"source": {json.dumps(source)},\n"models": {{\n' + ",\n".join(lines) + "\n}}\n"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _told(figures: Figures) -> dict[str, Any]:
    """Fields that say something: those that differ from their default."""
    default = asdict(Figures())
    return {key: value for key, value in asdict(figures).items() if value != default[key]}
