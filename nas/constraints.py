"""Budgets, and the terms that make a search keep them.

A budget limits three quantities of a network: arena bytes, bytes of the model file and ops. Limits
on the board's RAM, flash and time become limits on these, less what is not the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nas.cost import QUANTITIES, ExactCost
from predictor import Board, Options, toml
from predictor.errors import UsageError

_LEAST_EXCESS = 1e-6
_OPS_PER_SECOND = Path(__file__).parent / "ops_per_second.toml"


class Use(NamedTuple):
    """What a network uses of one limited quantity; ``limit`` is None without a limit."""

    quantity: str
    used: float
    limit: float | None

    @property
    def share(self) -> float:
        """Use as a share of the limit, 0 without one."""
        if self.limit is None:
            return 0.0
        return self.used / self.limit if self.limit > 0 else float("inf")


@dataclass(frozen=True)
class Budget:
    """Limits of a search: those of the board, and tighter ones that the user sets.

    Bytes, ops of one inference (a MAC is two) and seconds. ``max_flash_bytes`` covers model and
    code, as ``predict --max-flash`` does.
    """

    board: Board
    options: Options = field(default_factory=Options)
    max_arena_bytes: int | None = None
    max_flash_bytes: int | None = None
    max_ops: int | None = None
    max_latency_s: float | None = None

    def limits(self, exact: ExactCost) -> dict[str, float | None]:
        """The limit of each quantity, given the code and RAM that this network's operators need."""
        sram, prediction = exact.prediction.sram, exact.prediction
        arena = sram.available_bytes - (sram.total_bytes - sram.arena_bytes)
        arena = min(arena, sram.largest_span_bytes)
        flash = self.board.flash_bytes
        if self.max_flash_bytes is not None:
            flash = min(flash, self.max_flash_bytes)
        if self.max_arena_bytes is not None:
            arena = min(arena, self.max_arena_bytes)
        ops: float | None = self.max_ops
        if self.max_latency_s is not None:
            in_time = self.max_latency_s * ops_per_second(self.board.name)
            ops = in_time if ops is None else min(ops, in_time)
        return {
            "ops": ops,
            "model_bytes": flash - (prediction.flash_total_bytes - exact.model_bytes),
            "arena_bytes": arena,
        }

    def uses(self, exact: ExactCost) -> tuple[Use, ...]:
        """Exact use of each quantity."""
        limits = self.limits(exact)
        values = exact.quantities()
        return tuple(Use(name, values[name], limits[name]) for name in QUANTITIES)

    def excess(self, exact: ExactCost) -> float:
        """How far the network is over its tightest limit, as a share of it; negative if it fits."""
        over = max(use.share - 1.0 for use in self.uses(exact))
        if exact.prediction.fits:
            return over
        # RAM in pieces may not hold what its sum would: over by the bytes that lack.
        lacking = -exact.prediction.sram.margin_bytes / self.board.sram_bytes
        return max(over, lacking, _LEAST_EXCESS)

    def fits(self, exact: ExactCost) -> bool:
        """Whether the exact predictor says that the network fits board and limits."""
        return exact.prediction.fits and self.excess(exact) <= 0

    def binding(self, exact: ExactCost) -> Use:
        """The quantity that comes closest to its limit."""
        return max(self.uses(exact), key=lambda use: use.share)


@cache
def ops_per_second(board: str) -> float:
    """Ops a board does in a second: the paper's proxy of latency, where nothing better is known.

    Raises:
        UsageError: no figure for this board.
    """
    with _OPS_PER_SECOND.open("rb") as file:
        table: Mapping[str, Any] = toml.load(file)["boards"]
    if board not in table:
        raise UsageError(
            f"no latency figure for board {board!r}; known: {', '.join(table)}; "
            "limit the work with --max-ops instead"
        )
    return float(table[board]["ops_per_second"])


class AugmentedLagrangian:
    """Multipliers of constraints ``value <= limit``, one for each limited quantity.

    The violation is relative: g = value / limit - 1. The term added to the loss is
    (max(0, m + p g)^2 - m^2) / 2p with multiplier m and penalty p (Nocedal and Wright, 17.4); it
    is 0 with slope 0 where a constraint holds and its multiplier has died down, and rises
    again whenever the constraint is violated later.
    """

    def __init__(self, penalty: float) -> None:
        if penalty <= 0:
            raise UsageError(f"the penalty of constraints must be positive, not {penalty}")
        self.penalty = penalty
        self.multipliers = dict.fromkeys(QUANTITIES, 0.0)

    def violations(
        self, values: Mapping[str, float], limits: Mapping[str, float | None]
    ) -> dict[str, float]:
        """Relative violation of each limited quantity; negative where there is room."""
        found = {}
        for name in QUANTITIES:
            limit = limits[name]
            if limit is not None:
                found[name] = values[name] / max(limit, 1.0) - 1.0
        return found

    def update(self, violations: Mapping[str, float]) -> None:
        """Moves the multipliers by the violations: up where violated, down to 0 where not."""
        for name, violation in violations.items():
            self.multipliers[name] = max(0.0, self.multipliers[name] + self.penalty * violation)


def penalty_term(violation: Any, multiplier: Any, penalty: float) -> Any:
    """The term of one constraint, as a TensorFlow scalar."""
    import tensorflow as tf

    active = tf.maximum(0.0, multiplier + penalty * violation)
    return (tf.square(active) - tf.square(multiplier)) / (2.0 * penalty)
