"""Fits the costs of kernels' loops: ``python -m tools.costs.fit_costs REVISION KERNELS CORE``.

Reads what ``tools.costs.layer_counts`` counted (``tools/costs/data``) and, where it is at hand, the
ground truth in ``../shared/truth``; counts the loops of the same layers from their shapes; and
finds the non-negative costs of one run of each loop that reproduce the counts with the smallest
relative errors. Errors weigh less than by their square, so that layers whose counts depend on the
data do not bend the rest. Writes ``predictor/cost/coefficients`` and reports the errors of layers
and models that the fit has not seen (folds by model).
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from predictor.cores.core import find_core
from predictor.cost.instructions import (
    INTERPRETER_STEP,
    CostTable,
    costs_of,
    is_model,
    load_costs,
    loops_of,
    shared_costs,
)
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedNode
from predictor.memory.revision import load_revision
from predictor.model.device.names import PREFIX
from predictor.model.tflite_reader import read_graph
from tools.costs.layer_models import layer_model
from tools.costs.truth_layers import truth_layers

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"
OUT = ROOT / "predictor" / "cost" / "coefficients"
METRICS = ("instructions", "loads", "stores", "mac_instructions")
FOLDS = 5
LEAST = {"instructions": 50.0, "loads": 20.0, "stores": 20.0, "mac_instructions": 10.0}
"""Errors of smaller counts are taken relative to these."""
TYPICAL_CALL = {"instructions": 180.0, "loads": 45.0, "stores": 25.0, "mac_instructions": 1.0}
"""What calling a kernel costs, where its layers do not say: most lie near that."""
CALL_WEIGHT = 0.05
ROUNDS = 15
SMOOTHEST = 2e-3


@dataclass(slots=True)
class Row:
    """One operator of a model: its loops and what was counted, None where it was not."""

    model: str
    index: int
    operator: str
    terms: dict[str, int]
    counts: dict[str, float | None]
    is_truth: bool = False
    predicted: dict[str, float] = field(default_factory=dict)


def row_of(
    model: str, node: PreparedNode, counts: dict[str, float | None], is_truth: bool = False
) -> Row | None:
    """The row of an operator whose loops are known.

    The project's own counts end where the operator returns to the interpreter.
    """
    loops = loops_of(node)
    if loops is None:
        return None
    terms = dict(loops.terms)
    if not is_truth:
        del terms[INTERPRETER_STEP]
    op = node.context.op
    return Row(model, op.index, op.label, terms, counts, is_truth)


def counted_rows(path: Path, revision: str, kernels: str) -> list[Row]:
    """Rows of layers that the project counted itself; none without the file.

    Of ``mn``, those of the project's kernels: other operators run the reference kernel, which has
    a table of its own.
    """
    if not path.is_file():
        return []
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(line for line in file if not line.startswith("#")):
            found[line["model"]].append(line)
    rows = []
    chosen = load_revision(revision, kernels)
    is_whole = chosen.kernel_set.on is None
    for model, lines in found.items():
        nodes = prepare(read_graph(layer_model(model)), chosen).nodes
        for line in lines:
            node = nodes[int(line["index"])]
            row = row_of(model, node, {metric: float(line[metric]) for metric in METRICS})
            if row is not None and (is_whole or any(map(is_own, row.terms))):
                rows.append(row)
    return rows


def components(rows: Iterable[Row], fixed: Iterable[str]) -> list[list[Row]]:
    """Rows in groups that share no loop, so that each group is fitted by itself."""
    parents: dict[str, str] = {}

    def root(term: str) -> str:
        while parents.setdefault(term, term) != term:
            term = parents[term]
        return term

    known = set(fixed)
    free = [[term for term in row.terms if term not in known] for row in rows]
    for terms in free:
        for term in terms:
            parents[root(term)] = root(terms[0])
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, terms in zip(rows, free, strict=True):
        if terms:
            groups[root(terms[0])].append(row)
    return list(groups.values())


def fit(rows: Sequence[Row], metric: str, fixed: dict[str, float]) -> dict[str, float]:
    """Non-negative costs of the loops in one metric, by iteratively reweighted least squares."""
    rows = [row for row in rows if row.counts.get(metric) is not None]
    names = sorted({term for row in rows for term in row.terms if term not in fixed})
    if not names:
        return {}
    column = {name: position for position, name in enumerate(names)}
    runs = np.zeros((len(rows), len(names)))
    counts = np.array([row.counts[metric] for row in rows], dtype=float)
    known = np.zeros(len(rows))
    for position, row in enumerate(rows):
        for term, times in row.terms.items():
            if term in fixed:
                known[position] += times * fixed[term]
            else:
                runs[position, column[term]] = times
    wanted = np.maximum(counts - known, 0)
    relative = 1 / np.maximum(counts, LEAST[metric])
    weights = relative.copy()
    costs = np.zeros(len(names))
    ridge = 1e-7 * np.eye(len(names))
    calls = np.diag([CALL_WEIGHT if name.endswith("call") else 0.0 for name in names])
    typical = TYPICAL_CALL[metric]
    for _ in range(ROUNDS):
        weighted = runs * weights[:, None]
        scale = np.maximum(np.abs(weighted).max(0), 1e-12)
        left = np.vstack([weighted / scale, ridge, calls / (typical * scale)])
        right = np.concatenate([wanted * weights, np.zeros(len(names)), np.diag(calls)])
        costs = nnls(left, right, maxiter=1000 + 100 * len(names))[0] / scale
        errors = np.abs(runs @ costs - wanted) * relative
        weights = relative / np.sqrt(np.maximum(errors, SMOOTHEST))
    return dict(zip(names, costs.tolist(), strict=True))


def fit_all(rows: Sequence[Row], kept: CostTable) -> dict[str, dict[str, float]]:
    """Costs of all loops by metric; those that are ``kept`` stay as they are."""
    shared = shared_costs()
    found: dict[str, dict[str, float]] = {
        metric: {term: getattr(costs, metric) for term, costs in kept.items()} for metric in METRICS
    }
    for metric in METRICS:
        fixed = {term: getattr(costs, metric) for term, costs in shared.items()}
        fixed |= found[metric]
        for group in components(rows, fixed):
            found[metric].update(fit(group, metric, fixed))
    return found


def predicted(row: Row, costs: dict[str, float], metric: str) -> float:
    """What the costs make of a row's loops."""
    shared = shared_costs()
    return sum(
        times * (getattr(shared[term], metric) if term in shared else costs.get(term, np.nan))
        for term, times in row.terms.items()
    )


def cross_validate(rows: Sequence[Row], judged: Sequence[Row], metric: str) -> None:
    """Predicts each model of the rows to be judged by a fit that has not seen it."""
    models = sorted({row.model for row in judged})
    fold_of = {model: position % FOLDS for position, model in enumerate(models)}
    for fold in range(FOLDS):
        seen = [row for row in rows if fold_of.get(row.model) != fold]
        costs = {}
        fixed = {term: getattr(cost, metric) for term, cost in shared_costs().items()}
        for group in components(seen, fixed):
            costs.update(fit(group, metric, fixed))
        layers = layers_of(seen)
        for row in judged:
            free = [term for term in row.terms if term not in shared_costs()]
            if fold_of.get(row.model) == fold and is_model(layers[term] for term in free):
                row.predicted[metric] = predicted(row, costs, metric)


def layers_of(rows: Iterable[Row]) -> Counter[str]:
    """On how many layers each loop's cost rests."""
    return Counter(term for row in rows for term in row.terms)


def is_own(term: str) -> bool:
    """Whether a loop is one of the project's own kernels."""
    return term.startswith(PREFIX.lower())


def write(
    path: Path, costs: dict[str, dict[str, float]], layers: Mapping[str, int], note: str
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(note)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("term", *METRICS, "layers"))
        for term in sorted(costs["instructions"]):
            values = (f"{costs[metric].get(term, 0):.4g}" for metric in METRICS)
            writer.writerow((term, *values, layers.get(term, 0)))


def report(rows: Sequence[Row], metric: str, title: str) -> None:
    """Errors of layers and of kinds of operators."""
    known = [
        row
        for row in rows
        if (row.counts.get(metric) or 0) > 0 and np.isfinite(row.predicted.get(metric, np.nan))
    ]
    errors = np.array([abs(row.predicted[metric] / (row.counts[metric] or 1) - 1) for row in known])
    if len(errors):
        print(
            f"{title}: {len(errors)} layers, median {100 * np.median(errors):.2f} %, "
            f"95th percentile {100 * np.percentile(errors, 95):.2f} %"
        )


def model_report(rows: Sequence[Row], least: float) -> None:
    """Errors of whole models, whose every operator is known."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        sums[row.model][0] += row.counts["instructions"] or 0
        sums[row.model][1] += row.predicted.get("instructions", np.nan)
    errors = sorted(
        (abs(guess / true - 1), model)
        for model, (true, guess) in sums.items()
        if true >= least and np.isfinite(guess)
    )
    values = [error for error, _ in errors]
    if not values:
        return
    print(
        f"models: {len(values)}, median {100 * np.median(values):.2f} %, worst "
        + ", ".join(f"{model} {100 * error:.2f} %" for error, model in errors[:-6:-1])
    )


def rows_of(revision: str, kernels: str, core: str) -> tuple[list[Row], list[Row]]:
    """Layers that the project counted, and those of upstream TFLM at hand."""
    rows = counted_rows(DATA / f"{revision}_{kernels}_{core}.csv", revision, kernels)
    found = (
        row_of(item.model, item.node, item.counts, True)
        for item in truth_layers(revision, kernels, core)
    )
    return rows, [row for row in found if row is not None]


def check(revision: str, kernels: str, core: str, *, uses_truth: bool) -> None:
    """Reports the errors of models that the fit has not seen."""
    rows, truth = rows_of(revision, kernels, core)
    judged = truth if uses_truth else rows
    for metric in ("instructions", "loads"):
        cross_validate([*rows, *truth], judged, metric)
        report(judged, metric, f"{metric}, models left out")
        if uses_truth:
            continue
        for operator in sorted({row.operator for row in judged}):
            report([row for row in judged if row.operator == operator], metric, f"  {operator}")
    model_report(judged, 100_000)


def fit_set(
    revision: str,
    kernels: str,
    core: str,
    *,
    uses_truth: bool,
    fill_from: str | None = None,
    keeps: bool = False,
) -> None:
    """Fits a kernel set on a core and writes its coefficients.

    Args:
        uses_truth: whether layers of upstream TFLM count, too.
        fill_from: core whose costs stand in for loops that were not counted.
        keeps: whether loops that have costs keep them, and only new ones are fitted.
    """
    rows, truth = rows_of(revision, kernels, core)
    seen = [*rows, *truth] if uses_truth else rows
    chosen = load_revision(revision, kernels, find_core(core))
    own = costs_of(revision, chosen.kernel_set, core) if keeps else {}
    costs = fit_all(seen, {term: cost for term, cost in own.items() if is_own(term)})
    for row in truth:
        row.predicted["instructions"] = predicted(row, costs["instructions"], "instructions")
    report(truth, "instructions", "instructions, fitted")
    model_report(truth, 100_000)
    counted = layers_of([*rows, *truth])
    if fill_from:
        # The same source for another core takes within a few percent of the same.
        source = load_revision(revision, kernels, find_core(fill_from))
        other, is_whole = load_costs(source), source.kernel_set.on is None
        for term in other.keys() - costs["instructions"].keys() - shared_costs().keys():
            if not is_whole and not is_own(term):
                continue
            counted[term] = int(other[term].layers)
            for metric in METRICS:
                costs[metric][term] = getattr(other[term], metric)
    note = (
        f"# Costs of one run of each loop: TFLM {revision}, {kernels}, {core}.\n"
        f"# python -m tools.costs.fit_costs {revision} {kernels} {core}: {len(rows)} layers "
        f"counted on an emulated core\n"
        f"# (tools/costs/data) and {len(truth) if uses_truth else 0} of upstream TFLM"
        f"{f'; the rest as on the {fill_from}' if fill_from else ''}.\n"
    )
    write(OUT / f"{revision}_{kernels}_{core}.csv", costs, counted, note)
    costs_of.cache_clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("kernels")
    parser.add_argument("core")
    parser.add_argument("--fill-from", help="core whose costs stand in for loops not counted")
    parser.add_argument("--no-truth", action="store_true", help="fit the project's own counts only")
    parser.add_argument("--keep", action="store_true", help="fit only loops without costs")
    parser.add_argument("--check", action="store_true", help="cross-validate, write nothing")
    arguments = parser.parse_args()
    names = (arguments.revision, arguments.kernels, arguments.core)
    if arguments.check:
        check(*names, uses_truth=not arguments.no_truth)
    else:
        fit_set(
            *names,
            uses_truth=not arguments.no_truth,
            fill_from=arguments.fill_from,
            keeps=arguments.keep,
        )


if __name__ == "__main__":
    main()
