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

from nas.decision_nodes import DecisionNode, Decisions, OpChoice, WidthChoice

Logits = Mapping[str, npt.NDArray[Any]]
Excess = Callable[[Decisions], float]
"""How far a network is over its budget: the largest use as a share of its limit, minus 1."""


def argmax(logits: Logits) -> dict[str, int]:
    """The most probable option of each node."""
    return {name: int(np.argmax(values)) for name, values in logits.items()}


def fit_to_budget(
    logits: Logits, nodes: Mapping[str, DecisionNode], excess: Excess
) -> tuple[dict[str, int], float]:
    """Decisions near the most probable ones that keep the budget, and their excess.

    The excess is positive where no network was found that fits; the decisions are then the
    closest.
    """
    decisions = argmax(logits)
    over = excess(decisions)
    best, least = dict(decisions), over
    while over > 0:
        moves = list(_moves(decisions, nodes, cheaper=True))
        if not moves:
            return best, least
        scored = []
        for move in moves:
            after = excess(move)
            loss = _log_probability(logits, decisions) - _log_probability(logits, move)
            # Moves that save nothing are taken only where nothing else is left.
            saved = max(over - after, 0.0)
            scored.append((loss / saved if saved > 0 else math.inf, after, move))
        _, over, decisions = min(scored, key=lambda item: (item[0], item[1]))
        if over < least:
            best, least = dict(decisions), over
    return grow(logits, nodes, excess, decisions)


def grow(
    logits: Logits, nodes: Mapping[str, DecisionNode], excess: Excess, decisions: Decisions
) -> tuple[dict[str, int], float]:
    """Takes larger options, the most probable step first, until none fits."""
    current = dict(decisions)
    while True:
        moves = sorted(
            _moves(current, nodes, cheaper=False),
            key=lambda move: -_log_probability(logits, move),
        )
        fitting = next((move for move in moves if excess(move) <= 0), None)
        if fitting is None:
            return current, excess(current)
        current = fitting


def _moves(
    decisions: Decisions, nodes: Mapping[str, DecisionNode], cheaper: bool
) -> Iterator[dict[str, int]]:
    """Networks that differ in one step of one decision."""
    for name, node in nodes.items():
        if isinstance(node, OpChoice) and not cheaper:
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
