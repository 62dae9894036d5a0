"""Budgets, and the terms that make a search keep them.

A budget limits four quantities of a network: arena bytes, bytes of the model file, ops and
latency. Limits on the board's RAM and flash become limits on these, less what is not the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nas.cost.network_cost import QUANTITIES, ExactCost
from predictor import Board, Options
from predictor.errors import UsageError

_LEAST_EXCESS = 1e-6


class Use(NamedTuple):
    """What a network uses of one limited quantity."""

    quantity: str
    used: float
    limit: float

    @property
    def share(self) -> float:
        """Use as a share of the limit."""
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
        sram = exact.sram
        arena = sram.available_bytes - (sram.total_bytes - sram.arena_bytes)
        arena = min(arena, sram.largest_span_bytes)
        flash = self.board.flash_bytes
        if self.max_flash_bytes is not None:
            flash = min(flash, self.max_flash_bytes)
        if self.max_arena_bytes is not None:
            arena = min(arena, self.max_arena_bytes)
        return {
            "ops": self.max_ops,
            "latency_s": self.max_latency_s,
            "model_bytes": flash - (exact.flash_bytes - exact.model_bytes),
            "arena_bytes": arena,
        }

    def uses(self, exact: ExactCost) -> tuple[Use, ...]:
        """Exact use of each quantity that has a limit."""
        return tuple(
            Use(name, getattr(exact, name), limit)
            for name, limit in self.limits(exact).items()
            if limit is not None
        )

    def excess(self, exact: ExactCost) -> float:
        """How far the network is over its tightest limit, as a share of it; negative if it fits."""
        over = max(use.share - 1.0 for use in self.uses(exact))
        if exact.fits:
            return over
        # RAM in pieces may not hold what its sum would: over by the bytes that lack.
        lacking = -exact.sram.margin_bytes / self.board.sram_bytes
        return max(over, lacking, _LEAST_EXCESS)

    def fits(self, exact: ExactCost) -> bool:
        """Whether the exact predictor says that the network fits board and limits."""
        return exact.fits and self.excess(exact) <= 0

    def binding(self, exact: ExactCost) -> Use:
        """The quantity that comes closest to its limit."""
        return max(self.uses(exact), key=lambda use: use.share)


def positive(limit: float) -> float:
    """A limit to divide by: where code alone takes all memory, none is left for a model."""
    return limit if limit > 0 else 1.0


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
                found[name] = values[name] / positive(limit) - 1.0
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
