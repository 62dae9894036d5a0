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

from nas.space.decision_nodes import Decisions, OpChoice, SkipChoice, WidthChoice
from nas.space.supernet import Supernet

Logits = Mapping[str, npt.NDArray[Any]]
Excess = Callable[[Decisions], float]
"""The largest use of a limit as a share of it, minus 1: positive where a network does not fit."""
TIGHT = -0.1
"""A network with more room than this is held against ones with another depth."""


def argmax(logits: Logits) -> dict[str, int]:
    """The most probable option of each node."""
    return {name: int(np.argmax(values)) for name, values in logits.items()}


def fit_to_budget(
    logits: Logits, supernet: Supernet, excess: Excess
) -> tuple[dict[str, int], float]:
    """Decisions near the most probable ones that keep the budget, and their excess.

    The excess is positive where no network was found that fits; the decisions are then the
    closest. Where blocks are too coarse to fill the budget, a skipped block that runs with other
    layers narrowed is tried too.
    """
    start = argmax(logits)
    decisions, over = _fitted(logits, supernet, excess, start, frozenset())
    candidates = [(decisions, over)]
    if over < TIGHT:
        for name, node in supernet.nodes.items():
            if isinstance(node, SkipChoice) and decisions[name] == 1:
                start = {**decisions, name: 0}
                candidates.append(_fitted(logits, supernet, excess, start, frozenset({name})))
    fitting = [item for item in candidates if item[1] <= 0]
    tight = [item for item in fitting if item[1] >= TIGHT]
    if tight:
        return max(tight, key=lambda item: _log_probability(logits, item[0]))
    if fitting:
        return max(fitting, key=lambda item: item[1])
    return min(candidates, key=lambda item: item[1])


def _fitted(
    logits: Logits,
    supernet: Supernet,
    excess: Excess,
    start: Decisions,
    kept: frozenset[str],
) -> tuple[dict[str, int], float]:
    """Shrinks until the budget holds, then grows; decisions in ``kept`` stay.

    What a step saves is remembered from the last time it was looked at, as it changes slowly.
    """
    decisions, over = dict(start), excess(start)
    best, least = decisions, over
    saved: dict[str, float] = {}
    while over > 0:
        moves = dict(_moves(decisions, supernet, kept, cheaper=True))
        if not moves:
            return best, least
        if all(saved.get(name, 0.0) <= 0 for name in moves):
            saved = {name: over - excess(move) for name, move in moves.items()}
        name = _cheapest(logits, decisions, moves, saved)
        after = excess(moves[name])
        saved[name] = over - after
        decisions, over = moves[name], after
        if over < least:
            best, least = decisions, over
    return _grown(logits, supernet, excess, decisions, kept)


def _cheapest(
    logits: Logits,
    decisions: Decisions,
    moves: Mapping[str, Decisions],
    saved: Mapping[str, float],
) -> str:
    """The step that gives up least probability for what it saves.

    Steps that save nothing are taken only where nothing else is left.
    """
    before = _log_probability(logits, decisions)

    def price(name: str) -> tuple[float, float]:
        loss = before - _log_probability(logits, moves[name])
        gain = saved.get(name, 0.0)
        return (loss / gain, -gain) if gain > 0 else (math.inf, loss)

    return min(moves, key=price)


def _grown(
    logits: Logits,
    supernet: Supernet,
    excess: Excess,
    decisions: Decisions,
    kept: frozenset[str],
) -> tuple[dict[str, int], float]:
    """Takes larger options, the most probable step first, until none fits.

    A step that does not fit is not looked at again: networks only get larger. The width of a
    skipped block stays, so that the block can still come in.
    """
    current, over = dict(decisions), excess(decisions)
    full: set[str] = set()
    while True:
        moves = dict(_moves(current, supernet, kept | full, cheaper=False))
        if not moves:
            return current, over
        name = max(moves, key=lambda name: _log_probability(logits, moves[name]))
        after = excess(moves[name])
        if after <= 0:
            current, over = moves[name], after
        else:
            full.add(name)


def _moves(
    decisions: Decisions, supernet: Supernet, kept: frozenset[str], cheaper: bool
) -> Iterator[tuple[str, dict[str, int]]]:
    """Networks that differ in one step of one decision, with its name."""
    active = supernet.active_nodes(decisions)
    for name, node in supernet.nodes.items():
        if name in kept or name not in active or (isinstance(node, OpChoice) and not cheaper):
            continue  # which operator is better is for training to say
        # Widths ascend in cost; the first options of other nodes are the expensive ones.
        step = -1 if cheaper == isinstance(node, WidthChoice) else 1
        if isinstance(node, OpChoice):
            step = -1
        option = decisions[name] + step
        if 0 <= option < len(node):
            yield name, {**decisions, name: option}


def _log_probability(logits: Logits, decisions: Decisions) -> float:
    total = 0.0
    for name, values in logits.items():
        shifted = values - values.max()
        total += float(shifted[decisions[name]] - np.log(np.exp(shifted).sum()))
    return total
