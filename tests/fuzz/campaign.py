"""Many mutated files: ``python -m tests.fuzz.campaign --count 200000``.

Files that did what none may do are kept in ``build/fuzz``, one for each kind of fault.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from predictor.errors import UsageError
from predictor.model.graph import Graph
from predictor.model.tflite_writer import write_model
from tests.fuzz import file_mutations, graph_mutations
from tests.fuzz.commands import Fault, fault_of
from tests.fuzz.seeds import seed_files, seed_graphs

_FOLDER = Path("build/fuzz")
_MOST_BYTES = 1_000_000
"""Limits of time and memory hold for files up to this."""


def files(count: int, seed: int) -> Iterator[tuple[bytes, random.Random]]:
    """Mutated files, each with a generator for what is drawn further: file N is always the same."""
    graphs, contents = seed_graphs(), seed_files()
    for number in range(count):
        rng = random.Random(f"{seed}.{number}")
        content = None
        if rng.random() < 0.5:
            content = _written(rng, graphs)
        if content is None:
            content = file_mutations.mutated(rng.choice(contents), rng)
        elif rng.random() < 0.1:
            content = file_mutations.mutated(content, rng)
        yield content, rng


def _written(rng: random.Random, graphs: tuple[Graph, ...]) -> bytes | None:
    """A mutated graph as a file; None where the schema cannot hold it, or it is large."""
    graph = graph_mutations.mutated(rng.choice(graphs), rng)
    try:
        content = write_model(graph)
    except (UsageError, OverflowError, ValueError):
        return None
    return content if len(content) <= _MOST_BYTES else None


def faults(count: int, seed: int) -> Iterator[tuple[bytes, Fault]]:
    """The files of a campaign that did what none may do."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content, rng in files(count, seed):
            fault = fault_of(content, rng)
            if fault is not None:
                yield content, fault


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    _FOLDER.mkdir(parents=True, exist_ok=True)
    found: dict[str, int] = {}
    for content, fault in faults(arguments.count, arguments.seed):
        place = fault.message.split(": ")[0] if fault.kind != "wrong" else fault.message[:20]
        kind = f"{fault.kind} {fault.command} {place}"
        found[kind] = found.get(kind, 0) + 1
        if found[kind] <= 2:
            name = f"{fault.kind}_{hashlib.sha256(content).hexdigest()[:12]}"
            (_FOLDER / f"{name}.tflite").write_bytes(content)
            (_FOLDER / f"{name}.json").write_text(json.dumps(asdict(fault), indent=1))
            print(f"{name}: {fault.command} {dict(fault.options)}: {fault.message}", flush=True)
    for kind, times in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{times:6} {kind}")


if __name__ == "__main__":
    main()
