"""Layers of the ground truth in ``../shared/truth``: what upstream TFLM executed, if at hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from predictor.errors import PredictorError
from predictor.memory.preparation import PreparedNode, prepare
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import load_bytes, read_graph

SHARED = Path(__file__).resolve().parents[2] / "shared"
FILES = {
    ("cmsis_nn", "cortex-m4"): ("arena_m4", "sweep_m4", "ops_m4", "rnd_m4"),
    ("cmsis_nn", "cortex-m7"): ("arena_m7", "sweep_m7"),
    ("reference", "cortex-m4"): ("arena_m4_reference",),
}
MEMORY_FILES = ("layers_mem_m4", "sweep_mem_m4")
_FOLDERS = ("", "sweep", "ops", "rnd")


@dataclass(frozen=True, slots=True)
class TruthLayer:
    """One operator as it ran; counts are None where they were not taken."""

    model: str
    node: PreparedNode
    counts: dict[str, float | None]
    unaligned_loads: int | None


def _memory() -> dict[tuple[str, int], dict[str, str]]:
    found = {}
    for name in MEMORY_FILES:
        with (SHARED / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["model"], int(row["op_index"])] = row
    return found


def truth_layers(revision: str, kernels: str, core: str) -> Iterator[TruthLayer]:
    """All operators of the main subgraphs; nothing for another revision or without the files."""
    names = FILES.get((kernels, core), ())
    if revision != "2026.08" or not SHARED.is_dir():
        return
    has_memory = (kernels, core) == ("cmsis_nn", "cortex-m4")
    memory = _memory() if has_memory else {}
    for name in names:
        models = json.loads((SHARED / "truth" / f"{name}.json").read_text(encoding="utf-8"))
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
    for folder in _FOLDERS:
        path = SHARED / "models" / folder / model
        if path.is_file():
            try:
                graph = read_graph(load_bytes(str(path)))
                nodes = prepare(graph, load_revision(revision, kernels)).nodes
            except PredictorError:
                return []
            return [node for node in nodes if node.context.subgraph.index == 0]
    return []
