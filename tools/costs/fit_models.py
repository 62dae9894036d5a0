"""Fits the costs of loops on cores on which whole models were counted.

``python -m tools.costs.fit_models`` reads ``../shared/truth/cores``: instructions of Invoke of
upstream TFLM with CMSIS-NN. A model's loops are those of all its operators and of the interpreter.
What is fitted is how many times as much as on a Cortex-M4 a loop takes: one number for all models,
around which each operator's lies, around which each loop's lies, so that loops which few models run
stay near their likes. Errors weigh less than by their square. Loads and stores were not counted:
they are those of the Cortex-M4 times the same numbers. With ``--check`` nothing is written: errors
of models that the fit has not seen, of which each loop was seen often enough.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from predictor.cores.core import Core, find_core
from predictor.cost.instructions import (
    BETWEEN_STEP,
    SUBGRAPH_STEP,
    CostTable,
    costs_of,
    is_model,
    load_costs,
    loops_of,
)
from predictor.errors import PredictorError
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import load_bytes, read_graph
from tools.costs.fit_costs import FOLDS, METRICS, OUT, SMOOTHEST
from tools.costs.fit_costs import write as write_costs
from tools.costs.truth_layers import FOLDERS, SHARED

REVISION, KERNELS, KNOWN_CORE = "2026.08", "cmsis_nn", "cortex-m4"
CORES = {
    "m0plus": find_core("cortex-m0plus"),
    "m3": find_core("cortex-m3"),
    "m33": find_core("cortex-m33"),
    "m55": find_core("cortex-m55"),
    "m55_nomve": find_core("cortex-m55", without=("mve",)),
}
"""Cores by their names in the ground truth's files."""
SETS = ("named", "ops", "rnd", "sweep")
LEAST_INSTRUCTIONS = 0.5
"""Loops that cost less on the Cortex-M4 count as so much."""
ROUNDS, OPERATOR_WEIGHT, LOOP_WEIGHT, LEAST_RATIO = 10, 0.2, 0.06, 0.02
WHOLE = 100_000
"""Models of so many instructions are called whole."""


@dataclass(frozen=True, slots=True)
class CountedModel:
    """One model: how often its loops run, and the instructions of Invoke."""

    name: str
    loops: Mapping[str, int]
    instructions: float


def counted_models(key: str) -> Iterator[CountedModel]:
    """The models of a core of one subgraph whose loops are all known."""
    revision = load_revision(REVISION, KERNELS, CORES[key])
    for part in SETS:
        text = (SHARED / "truth" / "cores" / f"{key}_{part}.json").read_text(encoding="utf-8")
        for name, found in json.loads(text).items():
            path = next((p for f in FOLDERS if (p := SHARED / "models" / f / name).is_file()), None)
            if path is None or found.get("invoke_status") != 0 or "invoke_insns" not in found:
                continue
            try:
                graph = read_graph(load_bytes(str(path)))
                nodes = prepare(graph, revision).nodes
            except PredictorError:
                continue
            loops = [loops_of(node) for node in nodes]
            if len(graph.subgraphs) == 1 and None not in loops:
                runs = Counter({SUBGRAPH_STEP: 1, BETWEEN_STEP: len(loops)})
                for item in loops:
                    runs.update(item.terms if item else {})
                yield CountedModel(name, runs, float(found["invoke_insns"]))


class Ratios:
    """How many times as much as on the known core each loop takes."""

    def __init__(self, models: Sequence[CountedModel], known: CostTable) -> None:
        self._known = {term: max(c.instructions, LEAST_INSTRUCTIONS) for term, c in known.items()}
        terms = sorted({term for model in models for term in model.loops})
        operators = sorted({_operator(term) for term in terms})
        counts = np.array([model.instructions for model in models])
        parts = np.array(
            [[m.loops.get(term, 0) * self._known[term] for term in terms] for m in models]
        )
        belongs = np.array([[_operator(t) == name for name in operators] for t in terms], float)
        self._all = float(np.median(counts / parts.sum(1)))
        by_operator = _fitted(
            parts @ belongs, counts, np.full(len(operators), self._all), OPERATOR_WEIGHT
        )
        by_loop = _fitted(parts, counts, belongs @ by_operator, LOOP_WEIGHT)
        self._by_operator = dict(zip(operators, by_operator.tolist(), strict=True))
        self._by_loop = dict(zip(terms, by_loop.tolist(), strict=True))

    def __getitem__(self, term: str) -> float:
        of_its_operator = self._by_operator.get(_operator(term), self._all)
        return float(self._by_loop.get(term, of_its_operator))

    def cost(self, term: str) -> float:
        """Instructions of one run of a loop."""
        return self[term] * self._known[term]

    def instructions(self, model: CountedModel) -> float:
        return sum(runs * self.cost(term) for term, runs in model.loops.items())


def _operator(term: str) -> str:
    return term.rsplit(".", 1)[0]


def _fitted(parts: np.ndarray, counts: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """Ratios near a prior, by iteratively reweighted least squares."""
    relative = 1 / np.maximum(counts, 50.0)
    weights, ratios = relative.copy(), prior
    pull = weight * weight * np.eye(len(prior))
    for _ in range(ROUNDS):
        weighted = parts * weights[:, None]
        right = weighted.T @ (counts * weights) + pull @ prior
        ratios = np.maximum(np.linalg.solve(weighted.T @ weighted + pull, right), LEAST_RATIO)
        errors = np.abs(parts @ ratios - counts) * relative
        weights = relative / np.sqrt(np.maximum(errors, SMOOTHEST))
    return ratios


def models_by_loop(models: Sequence[CountedModel]) -> Counter[str]:
    return Counter(term for model in models for term in model.loops)


def known_costs() -> CostTable:
    return load_costs(load_revision(REVISION, KERNELS, find_core(KNOWN_CORE)))


def check(key: str, models: Sequence[CountedModel], known: CostTable) -> None:
    """Reports the errors of models that the fit has not seen."""
    errors = []
    for fold in range(FOLDS):
        seen = [model for place, model in enumerate(models) if place % FOLDS != fold]
        ratios, layers = Ratios(seen, known), models_by_loop(seen)
        errors += [
            np.log(ratios.instructions(model) / model.instructions)
            for place, model in enumerate(models)
            if place % FOLDS == fold
            and model.instructions >= WHOLE
            and is_model(layers[term] for term in model.loops)
        ]
    sizes = np.abs(errors)
    print(
        f"{key}: {len(sizes)} whole models, median {100 * np.median(sizes):.2f} %, 95th percentile "
        f"{100 * np.percentile(sizes, 95):.2f} %, root mean square {np.sqrt((sizes**2).mean()):.3f}"
    )


def fit(key: str, core: Core, models: Sequence[CountedModel], known: CostTable) -> None:
    """Writes the costs of all loops that the known core has."""
    ratios = Ratios(models, known)
    costs: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for term, other in known.items():
        for metric in METRICS:
            costs[metric][term] = ratios[term] * getattr(other, metric)
        costs["instructions"][term] = ratios.cost(term)
    name = core.measured_as[0]
    note = (
        f"# Costs of one run of each loop: TFLM {REVISION}, {KERNELS}, {name}.\n"
        f"# python -m tools.costs.fit_models {key}: {len(models)} whole models of upstream TFLM "
        f"on an emulated core,\n# as ratios to the costs on the {KNOWN_CORE}; loads and stores by "
        "the same ratios. layers:\n# models that run the loop.\n"
    )
    path = OUT / f"{REVISION}_{KERNELS}_{name}.csv"
    write_costs(path, costs, models_by_loop(models), note)
    costs_of.cache_clear()


def fit_all(keys: Sequence[str] = tuple(CORES)) -> None:
    """Fits cores again, as their costs follow from the known core's."""
    known = known_costs()
    for key in keys:
        fit(key, CORES[key], _known_models(key, known), known)


def _known_models(key: str, known: CostTable) -> list[CountedModel]:
    return [model for model in counted_models(key) if model.loops.keys() <= known.keys()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cores", nargs="*", default=list(CORES), help=", ".join(CORES))
    parser.add_argument("--check", action="store_true", help="cross-validate, write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        known = known_costs()
        for key in arguments.cores:
            check(key, _known_models(key, known), known)
    else:
        fit_all(arguments.cores)


if __name__ == "__main__":
    main()
