"""Predictions side by side: what differs, first in the sums and then layer by layer.

Works on the JSON form of predictions, so that saved reports compare like fresh ones.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from operator import eq
from typing import Any

from predictor.errors import ModelError, UsageError
from predictor.escapes import printable
from predictor.prediction import Prediction
from predictor.records import dataclass
from predictor.report.json_report import figures_json
from predictor.views import view

_MOST_PAIRS, _MOST_LAYERS = 10_000, 3_000
"""Layers that are matched wherever they stand: so many, with so many pairs of equal ones."""

FIGURES: Mapping[str, tuple[str, str]] = {
    "arena used": ("arena", "used_bytes"),
    "arena required": ("arena", "required_bytes"),
    "planned (head)": ("arena", "nonpersistent_bytes"),
    "lower bound of the plan": ("arena", "lower_bound_bytes"),
    "persistent (tail)": ("arena", "persistent_bytes"),
    "SRAM": ("sram", "total_bytes"),
    "SRAM margin": ("sram", "margin_bytes"),
    "flash": ("flash", "total_bytes"),
    "flash margin": ("flash", "margin_bytes"),
    "model file": ("flash", "model_bytes"),
    "code": ("flash", "code_bytes"),
    "MACs": ("ops", "total_macs"),
    "other ops": ("ops", "total_other_ops"),
    "operators": ("model", "operator_count"),
}
"""Figures with their place in the JSON form, in the order of reports."""
ESTIMATES: Mapping[str, tuple[str, str]] = {
    "latency, µs": ("latency", "seconds"),
    "energy, µJ": ("energy", "joules"),
}
"""Figures that are estimates, told in millionths; left out where a side does not know them."""
BUDGETS: Mapping[str, str] = {
    "arena": "arena used",
    "required": "arena required",
    "flash": "flash",
    "macs": "MACs",
}
"""Names of ``--max-regression`` with their figures."""
_LAYER_TEXTS = ("operator", "output_name", "output_type")
_LAYER_NUMBERS = (
    "index", "subgraph_index", "macs", "other_ops", "weight_bytes", "persistent_bytes",
    "scratch_bytes",
)  # fmt: skip
_COMPARED = (
    "output_shape", "output_type", "macs", "other_ops", "weight_bytes", "persistent_bytes",
    "scratch_bytes",
)  # fmt: skip
_BUDGET = re.compile(r"^([a-z]+)=([0-9]+(?:\.[0-9]+)?)%$")


@dataclass(frozen=True, slots=True)
class Subject:
    """A prediction in its JSON form, checked for what comparisons read."""

    label: str
    fits: bool
    figures: Mapping[str, int]
    layers: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure of each subject, the baseline first."""

    name: str
    values: tuple[int, ...]

    @property
    def deltas(self) -> tuple[int, ...]:
        """Differences of the others from the baseline."""
        return tuple(value - self.values[0] for value in self.values[1:])

    @property
    def differs(self) -> bool:
        return any(self.deltas)


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer that is not the same on both sides; None where a side lacks it."""

    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def shown(self) -> Mapping[str, Any]:
        """The side to name the layer by."""
        return self.after or self.before or {}

    @property
    def fields(self) -> dict[str, tuple[Any, Any]]:
        """Fields that differ with both values."""
        if self.before is None or self.after is None:
            return {}
        return {
            name: (self.before[name], self.after[name])
            for name in _COMPARED
            if self.before[name] != self.after[name]
        }


@dataclass(frozen=True, slots=True)
class Regression:
    """A figure that grew by more than its budget allows. ``limit`` is a fraction."""

    budget: str
    label: str
    before: int
    after: int
    limit: float

    def __str__(self) -> str:
        growth = f"{self.after / self.before - 1:+.2%}" if self.before else "from nothing"
        return (
            f"{self.budget} of {self.label} grew from {self.before:,} to {self.after:,} "
            f"({growth}); allowed: {self.limit:+.2%}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Subjects, the first of which is the baseline, with rows that differ standing first.

    ``layers`` has the layers that are not the same as the baseline's for each other subject,
    ``same_layers`` how many are.
    """

    subjects: tuple[Subject, ...]
    figures: tuple[FigureRow, ...]
    layers: tuple[tuple[LayerChange, ...], ...]
    same_layers: tuple[int, ...]
    regressions: tuple[Regression, ...]

    def _repr_html_(self) -> str:
        made: str = view("comparison_html")(self)
        return made


def subject(label: str, data: Any) -> Subject:
    """A prediction in its JSON form as a subject.

    Raises:
        ModelError: the value is not such a form.
    """
    try:
        figures = {
            name: _whole(data[table][key], f"{table}.{key}")
            for name, (table, key) in FIGURES.items()
        }
        for name, (table, key) in ESTIMATES.items():
            if isinstance(data.get(table), Mapping):
                figures[name] = round(1e6 * float(data[table][key]))
        layers = tuple(_layer(row) for row in data["layers"])
        return Subject(printable(label), bool(data["fits"]), figures, layers)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{label}: not the JSON report of one prediction ({error}); "
            "write one with predict MODEL --format json"
        ) from error


def _layer(row: Mapping[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = {name: _whole(row[name], name) for name in _LAYER_NUMBERS}
    layer |= {name: printable(row[name]) for name in _LAYER_TEXTS}
    layer["output_shape"] = tuple(_whole(size, "output_shape") for size in row["output_shape"])
    return layer


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no whole number")
    return value


def parse_regressions(texts: Sequence[str]) -> dict[str, float]:
    """Budgets such as "arena=2%" as fractions by name.

    Raises:
        UsageError: malformed, or an unknown name.
    """
    found = {}
    for text in texts:
        match = _BUDGET.match(text)
        if match is None or match[1] not in BUDGETS:
            known = ", ".join(BUDGETS)
            raise UsageError(
                f"--max-regression {text!r}: write NAME=PERCENT% with NAME one of {known}, "
                "such as arena=2%"
            )
        found[match[1]] = float(match[2]) / 100
    return found


def compare(subjects: Sequence[Subject], limits: Mapping[str, float]) -> Comparison:
    """Holds each subject against the first.

    Raises:
        UsageError: there is nothing to compare with.
    """
    if len(subjects) < 2:
        raise UsageError("nothing to compare with: name two models, or --board or --kernels twice")
    baseline, others = subjects[0], subjects[1:]
    names = [name for name in (*FIGURES, *ESTIMATES) if all(name in s.figures for s in subjects)]
    rows = [FigureRow(name, tuple(item.figures[name] for item in subjects)) for name in names]
    changes = [_layer_changes(baseline.layers, other.layers) for other in others]
    return Comparison(
        subjects=tuple(subjects),
        figures=tuple(sorted(rows, key=lambda row: not row.differs)),
        layers=tuple(changed for changed, _ in changes),
        same_layers=tuple(same for _, same in changes),
        regressions=tuple(
            Regression(name, other.label, before, after, limit)
            for other in others
            for name, limit in limits.items()
            for before, after in [(baseline.figures[BUDGETS[name]], other.figures[BUDGETS[name]])]
            # As a sum and not a ratio, so that a budget of 0 % is exact for any size.
            if after - before > before * limit
        ),
    )


def compare_predictions(
    first: Prediction,
    *others: Prediction,
    labels: Sequence[str] | None = None,
    max_growth: Mapping[str, float] | None = None,
) -> Comparison:
    """What differs from a prediction in others: of other models, boards or kernels.

    Args:
        labels: what to call them; by default the names of their files and boards.
        max_growth: how much figures may grow, as a fraction, by the names of ``--max-regression``
            ("arena", "required", "flash", "macs", ...).

    Raises:
        UsageError: there is nothing to compare with, or an unknown figure.
    """
    predictions = (first, *others)
    if labels is None:
        labels = [_label(prediction) for prediction in predictions]
    limits = dict(max_growth or {})
    if unknown := limits.keys() - BUDGETS.keys():
        known = ", ".join(BUDGETS)
        raise UsageError(f"unknown figure {', '.join(sorted(unknown))}; known: {known}")
    subjects = [
        subject(label, figures_json(prediction))
        for label, prediction in zip(labels, predictions, strict=True)
    ]
    return compare(subjects, limits)


def _label(prediction: Prediction) -> str:
    name = os.path.basename(prediction.path) if prediction.path else "model"
    return f"{name} on {prediction.board.name} with {prediction.revision.kernels} kernels"


Layers = Sequence[Mapping[str, Any]]


def _layer_changes(before: Layers, after: Layers) -> tuple[tuple[LayerChange, ...], int]:
    """Layers that differ, in the order of the models, and the number of those that do not."""
    changes: list[LayerChange] = []
    same = 0
    for old, new in _matched(before, after):
        change = LayerChange(old, new)
        if change.kind == "changed" and not change.fields:
            same += 1
        else:
            changes.append(change)
    return tuple(changes), same


Pair = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


def _matched(before: Layers, after: Layers) -> list[Pair]:
    """Layers side by side: by operator and name, between those by operator, else alone."""
    return _aligned(before, after, ("subgraph_index", "operator", "output_name"), _by_operator)


def _by_operator(before: Layers, after: Layers) -> list[Pair]:
    return _aligned(before, after, ("subgraph_index", "operator"), _apart)


def _apart(before: Layers, after: Layers) -> list[Pair]:
    return [*((layer, None) for layer in before), *((None, layer) for layer in after)]


def _aligned(before: Layers, after: Layers, keys: tuple[str, ...], otherwise: Any) -> list[Pair]:
    """Layers with equal keys in the same order; ``otherwise`` matches what stands between."""
    old, new = ([tuple(layer[key] for key in keys) for layer in side] for side in (before, after))
    pairs: list[Pair] = []
    for tag, a, b, c, d in _opcodes(old, new):
        if tag == "equal":
            pairs += zip(before[a:b], after[c:d], strict=True)
        else:
            pairs += otherwise(before[a:b], after[c:d])
    return pairs


Opcode = tuple[str, int, int, int, int]


def _opcodes(old: Sequence[object], new: Sequence[object]) -> Iterator[Opcode]:
    """What is equal and what is not, in ``SequenceMatcher``'s form. Its work grows with the pairs
    of equal elements: it does not see equal ends, and where pairs are many, places decide."""
    least = min(len(old), len(new))
    head = next((i for i in range(least) if old[i] != new[i]), least)
    least -= head
    tail = next((i for i in range(least) if old[-1 - i] != new[-1 - i]), least)
    ends = len(old) - tail, len(new) - tail
    if head:
        yield "equal", 0, head, 0, head
    yield from _between(old[head : ends[0]], new[head : ends[1]], head)
    if tail:
        yield "equal", ends[0], len(old), ends[1], len(new)


def _between(old: Sequence[object], new: Sequence[object], start: int) -> Iterator[Opcode]:
    counts = Counter(old)
    pairs = sum(counts[element] for element in new)
    if pairs <= _MOST_PAIRS and len(old) + len(new) <= _MOST_LAYERS:
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            yield tag, a + start, b + start, c + start, d + start
        return
    begin = 0
    for is_equal, run in groupby(map(eq, old, new)):
        end = begin + len(list(run))
        places = begin + start, end + start
        yield ("equal" if is_equal else "replace"), *places, *places
        begin = end
    if len(old) != len(new):
        yield "replace", start + begin, start + len(old), start + begin, start + len(new)
