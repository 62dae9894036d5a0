"""Searches over tasks and budgets, and against random and uniform networks.

Run as ``python -m benchmarks.nas_experiments FOLDER [--seeds N] [--preset P] [--tasks ...]``.
Each result is written when it is there; started again, the script goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

# Budgets that bind, by task: what limits the search and how much.
BUDGETS: dict[str, tuple[dict[str, int], ...]] = {
    "digits": (
        {"max_ops": 100_000},
        {"max_ops": 250_000},
        {"max_flash_bytes": 94_000},
        {"max_arena_bytes": 5_000},
    ),
    "faces": (
        {"max_ops": 1_000_000},
        {"max_ops": 2_000_000},
        {"max_flash_bytes": 115_000},
        {"max_arena_bytes": 14_000},
    ),
    "japanese-vowels": (
        {"max_ops": 800_000},
        {"max_ops": 2_000_000},
        {"max_flash_bytes": 98_000},
        {"max_arena_bytes": 14_000},
    ),
}
COMPARED = ("digits", "japanese-vowels")
RANDOM_NETWORKS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="*", default=list(BUDGETS))
    parser.add_argument("--no-comparison", action="store_true")
    arguments = parser.parse_args()
    from nas.cli.options import prepare_tensorflow

    prepare_tensorflow(1)
    for task in arguments.tasks:
        for index in range(len(BUDGETS[task])):
            _search(arguments.folder, task, index, arguments.preset, 0)
    if not arguments.no_comparison:
        for seed in range(arguments.seeds):
            for task in COMPARED:
                _compare(arguments.folder, task, arguments.preset, seed)
    print(json.dumps(summary(arguments.folder), indent=2))


def _request(task: str, index: int, preset: str, seed: int) -> Any:
    from nas.constraints import Budget
    from nas.pipeline import make_request
    from predictor import find_board

    budget = Budget(find_board("f446re"), **BUDGETS[task][index])
    return make_request(task, preset, budget, seed)


def _search(folder: Path, task: str, index: int, preset: str, seed: int) -> dict[str, Any]:
    """One search, or its result if it is there."""
    from nas.pipeline import load_data, search

    run = folder / f"{task}_{index}_{preset}_{seed}"
    done = run / "verify.json"
    if done.is_file():
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    request = _request(task, index, preset, seed)
    return search(request, load_data(request.recipe, seed, None), run)


def _compare(folder: Path, task: str, preset: str, seed: int) -> None:
    """Search, random and uniform networks with equal budget and number of epochs."""
    path = folder / f"compare_{task}_{preset}_{seed}.json"
    if path.is_file():
        return
    from nas.backbones import build_supernet
    from nas.baselines import random_decisions, train_network, uniform_decisions
    from nas.cost import CostModel
    from nas.pipeline import load_data

    request = _request(task, 0, preset, seed)
    data, training = load_data(request.recipe, seed, None), request.recipe.training
    table = _search(folder, task, 0, preset, seed)
    supernet = build_supernet(request.recipe.backbone, data.input_shape, len(data.classes))
    cost = CostModel(supernet, request.budget.board, request.budget.options)
    epochs = training.warmup_epochs + training.search_epochs + training.finetune_epochs
    uniform = uniform_decisions(cost, request.budget)
    _, uniform_quality = train_network(cost, uniform, data, training, epochs, seed)
    scores = [
        train_network(
            cost,
            random_decisions(cost, request.budget, seed * 100 + number),
            data,
            training,
            epochs // RANDOM_NETWORKS,
            seed,
            hold_out=True,
        )
        for number in range(RANDOM_NETWORKS)
    ]
    result = {
        "task": task,
        "seed": seed,
        "searched": table["accuracy"]["fake_quantized"],
        "uniform": uniform_quality,
        "random": max(scores)[1],
        "random_all": [quality for _, quality in scores],
    }
    path.write_text(json.dumps(result, indent=2) + "\n")


def summary(folder: Path) -> dict[str, Any]:
    """Figures over all results that are there."""
    tables = [json.loads(path.read_text()) for path in sorted(folder.glob("*/verify.json"))]
    shares = [
        json.loads((path.parent / "result.json").read_text())["binding"]["share"]
        for path in sorted(folder.glob("*/verify.json"))
    ]
    gaps = [t["accuracy"]["exported"] - t["accuracy"]["fake_quantized"] for t in tables]
    comparisons = [json.loads(p.read_text()) for p in sorted(folder.glob("compare_*.json"))]
    found: dict[str, Any] = {
        "searches": len(tables),
        "fitting": sum(t["fits"] for t in tables),
        "arena_exact": sum(
            t["searched"]["arena_bytes"] == t["predicted"]["arena_bytes"] for t in tables
        ),
        "worst_model_error": max(
            (abs(t["searched"]["model_bytes"] / t["predicted"]["model_bytes"] - 1) for t in tables),
            default=None,
        ),
        "median_use": statistics.median(shares) if shares else None,
        "largest_loss_by_export": -min(gaps, default=0.0),
    }
    for task in COMPARED:
        rows = [row for row in comparisons if row["task"] == task]
        for method in ("searched", "uniform", "random"):
            values = [row[method] for row in rows]
            if values:
                found[f"{task}/{method}"] = {
                    "mean": statistics.mean(values),
                    "spread": statistics.stdev(values) if len(values) > 1 else 0.0,
                    "seeds": len(values),
                }
    return found


if __name__ == "__main__":
    main()
