"""Fits the proxy of operators without a formula: ``python -m tools.costs.fit_proxy``.

Instructions, loads, stores and MAC instructions of a layer from its call, MACs and other operations
alone, for each kernel set of which layers were counted. Writes proxy.csv and says how far off.
"""

from __future__ import annotations

import csv

import numpy as np
from scipy.optimize import least_squares

from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import read_graph
from tools.costs.fit_costs import DATA, LEAST, METRICS, OUT, Row
from tools.costs.layer_models import layer_model

SETS = {"cmsis_nn": "2026.08", "reference": "2026.08", "mn": "2026.08"}
STAND_IN = "cmsis_nn"
"""Whose proxy a kernel set takes of which no layers were counted."""


def proxy_rows(kernels: str) -> list[Row]:
    """Counted layers with the proxy's terms."""
    path = DATA / f"{SETS[kernels]}_{kernels}_cortex-m4.csv"
    if not path.is_file():
        return []
    rows: list[Row] = []
    nodes: dict[str, list[tuple[int, int]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(line for line in file if not line.startswith("#")):
            model = line["model"]
            if model not in nodes:
                graph = read_graph(layer_model(model))
                prepared = prepare(graph, load_revision(SETS[kernels], kernels))
                counts = [node.row.count(node.context) for node in prepared.nodes]
                nodes[model] = [(count.macs, count.other_ops) for count in counts]
            macs, others = nodes[model][int(line["index"])]
            terms = {f"{kernels}.call": 1, f"{kernels}.mac": macs, f"{kernels}.other_op": others}
            counted = {metric: float(line[metric]) for metric in METRICS}
            rows.append(Row(model, int(line["index"]), line["operator"], terms, dict(counted)))
    return rows


def fit(rows: list[Row], metric: str) -> tuple[dict[str, float], float]:
    """Costs with the least squares of logarithms, and the spread of the errors."""
    names = list(rows[0].terms)
    runs = np.array([[row.terms[name] for name in names] for row in rows], dtype=float)
    counts = np.array([row.counts[metric] or 0.0 for row in rows])
    least = LEAST[metric]

    def errors(logs: np.ndarray) -> np.ndarray:
        return np.asarray(np.log((runs @ np.exp(logs) + least) / (counts + least)))

    found = least_squares(errors, np.log([100.0, 1.0, 10.0]))
    costs = dict(zip(names, np.exp(found.x).tolist(), strict=True))
    return costs, float(np.sqrt(np.mean(found.fun**2)))


def main() -> None:
    found: dict[str, dict[str, dict[str, float]]] = {}
    sizes: dict[str, int] = {}
    for kernels in SETS:
        rows = proxy_rows(kernels)
        if not rows:
            continue
        fits = {metric: fit(rows, metric) for metric in METRICS}
        found[kernels] = {metric: costs for metric, (costs, _) in fits.items()}
        sizes[kernels] = len(rows)
        print(f"{kernels}: {len(rows)} layers, spread {fits['instructions'][1]:.2f}")
    with (OUT / "proxy.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(
            "# Costs of operators without a formula, by kernel set, from\n"
            "# python -m tools.costs.fit_proxy: layers counted on a Cortex-M4 (tools/costs/data).\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("term", *METRICS, "layers"))
        for kernels in SETS:
            source = kernels if kernels in found else STAND_IN
            for term in ("call", "mac", "other_op"):
                values = [found[source][m].get(f"{source}.{term}", 0) for m in METRICS]
                writer.writerow((f"{kernels}.{term}", *(f"{v:.4g}" for v in values), sizes[source]))


if __name__ == "__main__":
    main()
