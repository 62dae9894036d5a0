"""Searches over tasks and budgets, and against random and uniform networks.

Run as ``python -m benchmarks.nas_experiments FOLDER [--only compare|fits|w4a8|w4a4]``. Each result
is kept in FOLDER when it is there; started again, the script goes on with what is missing. All
results go to ``benchmarks/nas_experiments.csv``, from which docs/nas.md has its figures.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_suffix(".csv")
PRESET = "smoke"
SEEDS = 5
RANDOM_NETWORKS, RANDOM_EPOCHS = 6, 2
"""Of a random search, before it finetunes the best: as much processor time as a search takes."""


class Experiment(NamedTuple):
    """One training: a search (``dnas``) or what it is held against, under one limit."""

    group: str
    task: str
    quantity: str
    limit: int
    method: str = "dnas"
    seed: int = 0

    @property
    def name(self) -> str:
        return "_".join(str(value) for value in self)


# Limits that bind, by task; flash is that of model and code.
BUDGETS = {
    "digits": (
        ("max_ops", 100_000),
        ("max_ops", 250_000),
        ("max_flash_bytes", 94_000),
        ("max_arena_bytes", 5_000),
    ),
    "faces": (
        ("max_ops", 200_000),
        ("max_ops", 300_000),
        ("max_flash_bytes", 115_000),
        ("max_arena_bytes", 14_000),
    ),
    "japanese-vowels": (
        ("max_ops", 800_000),
        ("max_ops", 2_000_000),
        ("max_flash_bytes", 98_000),
        ("max_arena_bytes", 14_000),
    ),
}
COMPARED = {"digits": ("max_ops", 60_000), "japanese-vowels": ("max_ops", 800_000)}
METHODS = ("dnas", "random", "uniform")
_BITS = {"w4a8": (4, 8), "w4a4": (4, 4)}
"""Bits of weights and activations, by group; 8 in the others."""


def experiments() -> Iterator[Experiment]:
    """All of them, in the order in which they run."""
    for seed in range(SEEDS):
        for task, budget in COMPARED.items():
            for method in METHODS:
                yield Experiment("compare", task, *budget, method, seed)
    for task, budgets in BUDGETS.items():
        for budget in budgets:
            yield Experiment("fits", task, *budget)
    for group in _BITS:
        for task, budgets in BUDGETS.items():
            yield Experiment(group, task, *budgets[1])


def run(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """One experiment's row of the table."""
    from nas.cost.constraints import Budget
    from nas.run.pipeline import load_data, make_request
    from predictor import Options, find_board

    weights, activations = _BITS.get(experiment.group, (8, 8))
    options = Options(kernels="mn") if activations == 4 else Options()
    limit = {experiment.quantity: experiment.limit}
    budget = Budget(find_board("f446re"), options, **limit)
    request = make_request(experiment.task, PRESET, budget, experiment.seed)
    request.recipe.backbone.update(weight_bits=[weights], activation_bits=[activations])
    data = load_data(request.recipe, experiment.seed, None)
    start = time.process_time()
    method = _searched if experiment.method == "dnas" else _baseline
    row = method(experiment, request, data, folder / experiment.name)
    cost = {"cpu_s": round(time.process_time() - start, 1)}
    return experiment._asdict() | {"preset": PRESET} | row | cost


def _searched(experiment: Experiment, request: Any, data: Any, folder: Path) -> dict[str, Any]:
    from nas.run.pipeline import search
    from nas.run.run_folder import RESULT, RunFolder

    table = search(request, data, folder)
    found = {"fits": table["fits"]}
    if not table["fits"]:
        return found
    binding = RunFolder(folder).read_json(RESULT)["binding"]
    return found | {
        "quality": table["accuracy"]["fake_quantized"],
        "exported_quality": table["accuracy"]["exported"],
        "binding": binding["quantity"],
        "use_of_binding": binding["share"],
        "searched_arena_bytes": table["searched"]["arena_bytes"],
        "predicted_arena_bytes": table["predicted"]["arena_bytes"],
        "searched_model_bytes": table["searched"]["model_bytes"],
        "predicted_model_bytes": table["predicted"]["model_bytes"],
        "ops": table["predicted"]["ops"],
        "test_samples": len(data.test_y),
    }


def _baseline(experiment: Experiment, request: Any, data: Any, folder: Path) -> dict[str, Any]:
    from nas.cost.cost_model import CostModel
    from nas.space.backbones import build_supernet
    from nas.training.baselines import random_search, uniform_network

    budget, training, seed = request.budget, request.recipe.training, experiment.seed
    supernet = build_supernet(request.recipe.backbone, data.input_shape, len(data.classes))
    cost = CostModel(supernet, budget.board, budget.options)
    if experiment.method == "random":
        size = RANDOM_NETWORKS, RANDOM_EPOCHS
        decisions, quality = random_search(cost, budget, data, training, seed, *size)
    else:
        decisions, quality = uniform_network(cost, budget, data, training, seed)
    exact = cost.exact_of(decisions)
    binding = budget.binding(exact)
    return {
        "fits": budget.fits(exact),
        "quality": quality,
        "binding": binding.quantity,
        "use_of_binding": binding.share,
        "ops": exact.ops,
        "test_samples": len(data.test_y),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that the table is made for."""
    searches = [row for row in rows if row["method"] == "dnas"]
    exported = [row for row in searches if row["fits"]]
    found: dict[str, Any] = {
        "searches": len(searches),
        "fitting": len(exported),
        "median_use_of_binding": statistics.median(row["use_of_binding"] for row in exported),
        "arena_exact": sum(
            row["searched_arena_bytes"] == row["predicted_arena_bytes"] for row in exported
        ),
        "worst_model_error": max(
            abs(row["searched_model_bytes"] / row["predicted_model_bytes"] - 1) for row in exported
        ),
    }
    for group in dict.fromkeys(row["group"] for row in exported):
        losses = [r["quality"] - r["exported_quality"] for r in exported if r["group"] == group]
        found[f"largest_loss_by_export/{group}"] = max(losses)
    for task in COMPARED:
        for method in METHODS:
            values = [
                row["quality"]
                for row in rows
                if (row["group"], row["task"], row["method"]) == ("compare", task, method)
            ]
            if len(values) > 1:
                found[f"{task}/{method}"] = {
                    "mean": statistics.mean(values),
                    "spread": statistics.stdev(values),
                    "seeds": len(values),
                }
    return found


def write_table(rows: list[dict[str, Any]]) -> None:
    columns: list[str] = list(dict.fromkeys(key for row in rows for key in row))
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("compare", "fits", *_BITS))
    arguments = parser.parse_args()
    from nas.run.pipeline import prepare_tensorflow

    prepare_tensorflow(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for experiment in experiments():
        path: Path = arguments.folder / f"{experiment.name}.json"
        wanted = arguments.only in (None, experiment.group)
        if wanted and not path.is_file():
            path.write_text(json.dumps(run(experiment, arguments.folder)) + "\n")
        if path.is_file():
            rows.append(json.loads(path.read_text()))
            write_table(rows)
    print(json.dumps(summary(rows), indent=2))


if __name__ == "__main__":
    main()
