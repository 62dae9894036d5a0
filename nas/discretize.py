"""From soft decisions to one network that fits.

The most probable network is the start. While the exact predictor says that it breaks the budget,
the decision that gives up least probability for what it saves takes its next cheaper option;
then decisions grow back, most probable first, as long as the budget holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.decision_nodes import DecisionNode, Decisions, OpChoice, SkipChoice, WidthChoice

Logits = Mapping[str, npt.NDArray[Any]]
Excess = Callable[[Decisions], float]
"""The largest use of a limit as a share of it, minus 1: positive where a network does not fit."""
TIGHT = -0.1
"""A network with more room than this is held against ones with another depth."""


def argmax(logits: Logits) -> dict[str, int]:
    """The most probable option of each node."""
    return {name: int(np.argmax(values)) for name, values in logits.items()}


def fit_to_budget(
    logits: Logits, nodes: Mapping[str, DecisionNode], excess: Excess
) -> tuple[dict[str, int], float]:
    """Decisions near the most probable ones that keep the budget, and their excess.

    The excess is positive where no network was found that fits; the decisions are then the
    closest. Where blocks are too coarse to fill the budget, a skipped block that runs with other
    layers narrowed is tried too.
    """
    start = argmax(logits)
    decisions, over = _fitted(logits, nodes, excess, start, frozenset())
    candidates = [(decisions, over)]
    if over < TIGHT:
        for name, node in nodes.items():
            if isinstance(node, SkipChoice) and decisions[name] == 1:
                candidates.append(
                    _fitted(logits, nodes, excess, {**decisions, name: 0}, frozenset({name}))
                )
    fitting = [item for item in candidates if item[1] <= 0]
    tight = [item for item in fitting if item[1] >= TIGHT]
    if tight:
        return max(tight, key=lambda item: _log_probability(logits, item[0]))
    if fitting:
        return max(fitting, key=lambda item: item[1])
    return min(candidates, key=lambda item: item[1])


def _fitted(
    logits: Logits,
    nodes: Mapping[str, DecisionNode],
    excess: Excess,
    start: Decisions,
    kept: frozenset[str],
) -> tuple[dict[str, int], float]:
    """Shrinks until the budget holds, then grows; decisions in ``kept`` stay."""
    decisions, over = dict(start), excess(start)
    best, least = decisions, over
    while over > 0:
        scored = []
        for move in _moves(decisions, nodes, kept, cheaper=True):
            after = excess(move)
            loss = _log_probability(logits, decisions) - _log_probability(logits, move)
            # Moves that save nothing are taken only where nothing else is left.
            saved = max(over - after, 0.0)
            scored.append((loss / saved if saved > 0 else math.inf, after, move))
        if not scored:
            return best, least
        _, over, decisions = min(scored, key=lambda item: (item[0], item[1]))
        if over < least:
            best, least = decisions, over
    return _grown(logits, nodes, excess, decisions, kept)


def _grown(
    logits: Logits,
    nodes: Mapping[str, DecisionNode],
    excess: Excess,
    decisions: Decisions,
    kept: frozenset[str],
) -> tuple[dict[str, int], float]:
    """Takes larger options, the most probable step first, until none fits."""
    current = dict(decisions)
    while True:
        moves = sorted(
            _moves(current, nodes, kept, cheaper=False),
            key=lambda move: -_log_probability(logits, move),
        )
        fitting = next((move for move in moves if excess(move) <= 0), None)
        if fitting is None:
            return current, excess(current)
        current = fitting


def _moves(
    decisions: Decisions, nodes: Mapping[str, DecisionNode], kept: frozenset[str], cheaper: bool
) -> Iterator[dict[str, int]]:
    """Networks that differ in one step of one decision."""
    for name, node in nodes.items():
        if name in kept or (isinstance(node, OpChoice) and not cheaper):
            continue  # which operator is better is for training to say
        # Widths ascend in cost; the first options of other nodes are the expensive ones.
        step = -1 if cheaper == isinstance(node, WidthChoice) else 1
        if isinstance(node, OpChoice):
            step = -1
        option = decisions[name] + step
        if 0 <= option < len(node):
            yield {**decisions, name: option}


def _log_probability(logits: Logits, decisions: Decisions) -> float:
    total = 0.0
    for name, values in logits.items():
        shifted = values - values.max()
        total += float(shifted[decisions[name]] - np.log(np.exp(shifted).sum()))
    return total
