"""Layers of the ground truth in ``../shared/truth``: what upstream TFLM executed, if at hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from predictor.errors import PredictorError
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedNode
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import load_bytes, read_graph

SHARED = Path(__file__).resolve().parents[3] / "shared"
_ENDINGS = {"cmsis_nn": ""}
"""Endings of the files' names by kernel set, where they do not name it."""
"""The kernel set of files that name none."""
SETS = ("arena", "sweep", "ops", "rnd")
MEMORY_SETS = ("layers_mem", "sweep_mem")
FOLDERS = ("", "sweep", "ops", "rnd")


@dataclass(frozen=True, slots=True)
class TruthLayer:
    """One operator as it ran; counts are None where they were not taken."""

    model: str
    node: PreparedNode
    counts: dict[str, float | None]
    unaligned_loads: int | None


def _files(sets: tuple[str, ...], kernels: str, core: str, suffix: str) -> Iterator[Path]:
    """Files of measurements such as arena_m4.json and arena_m4_reference.json that are there."""
    ending = core.removeprefix("cortex-") + _ENDINGS.get(kernels, f"_{kernels}")
    paths = (SHARED / "truth" / f"{name}_{ending}.{suffix}" for name in sets)
    return (path for path in paths if path.is_file())


def _memory(kernels: str, core: str) -> dict[tuple[str, int], dict[str, str]]:
    found = {}
    for path in _files(MEMORY_SETS, kernels, core, "csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["model"], int(row["op_index"])] = row
    return found


def truth_layers(revision: str, kernels: str, core: str) -> Iterator[TruthLayer]:
    """All operators of the main subgraphs; nothing for another revision or without the files."""
    if revision != "2026.08" or not SHARED.is_dir():
        return
    memory = _memory(kernels, core)
    for path in _files(SETS, kernels, core, "json"):
        models = json.loads(path.read_text(encoding="utf-8"))
        for model, found in models.items():
            nodes = _nodes(model, revision, kernels)
            operators = found.get("ops") or []
            if [node.context.op.label for node in nodes] != [label for label, _ in operators]:
                continue
            for index, (node, (_, instructions)) in enumerate(zip(nodes, operators, strict=True)):
                row = memory.get((model, index))
                yield TruthLayer(
                    model,
                    node,
                    {
                        "instructions": float(instructions),
                        "loads": float(row["loads"]) if row else None,
                        "stores": float(row["stores"]) if row else None,
                        "mac_instructions": float(row["mac_insns"]) if row else None,
                    },
                    int(row["unaligned_loads"]) if row else None,
                )


def _nodes(model: str, revision: str, kernels: str) -> list[PreparedNode]:
    for folder in FOLDERS:
        path = SHARED / "models" / folder / model
        if path.is_file():
            try:
                graph = read_graph(load_bytes(str(path)))
                nodes = prepare(graph, load_revision(revision, kernels)).nodes
            except PredictorError:
                return []
            return [node for node in nodes if node.context.subgraph.index == 0]
    return []
