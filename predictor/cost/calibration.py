"""What measurements on a board say about its core: the ``calibration`` tables of a board file.

A calibration belongs to one board at one clock, one runtime, one revision and one kernel set, and
is never pooled with others. It turns the counts of the instruction model into cycles::

    cycles = cycles_per_instruction * instructions
           + unaligned_load_cycles * unaligned_loads
           + flash_cycles_per_byte * streamed_bytes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from predictor.boards.board import Board
from predictor.cost.intervals import Spread
from predictor.errors import BoardError, UsageError


@dataclass(frozen=True, slots=True)
class Features:
    """Counts of one inference of a model, from which cycles are predicted."""

    instructions: float
    unaligned_loads: float = 0
    streamed_bytes: float = 0


@dataclass(frozen=True, slots=True)
class CoreCosts:
    """Cycles that a core takes for what the instruction model counts."""

    cycles_per_instruction: float
    unaligned_load_cycles: float = 0
    flash_cycles_per_byte: float = 0

    def cycles(self, features: Features) -> float:
        return (
            self.cycles_per_instruction * features.instructions
            + self.unaligned_load_cycles * features.unaligned_loads
            + self.flash_cycles_per_byte * features.streamed_bytes
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement that a calibration rests on, with what the calibration makes of it.

    ``left_out_error`` is the relative error of its prediction by a fit without it; None where it
    was not fitted. ``reason`` says why a measurement was not fitted.
    """

    model: str
    features: Features
    latency_s: float
    source: str
    sha256: str | None = None
    energy_j: float | None = None
    repeats: int = 1
    is_fitted: bool = True
    left_out_error: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted costs of a core, what they hold for, and how well.

    ``runtime`` names the software that was measured, and so the calibration; ``revision`` and
    ``kernels`` say whose counts the costs multiply. ``spread`` is that of the rows left out.
    """

    runtime: str
    revision: str
    kernels: str
    clock_hz: int
    costs: CoreCosts
    spread: Spread
    measurements: tuple[Measured, ...] = ()

    def predicted_s(self, item: Measured) -> float:
        """Latency of a measured model by these costs."""
        return self.costs.cycles(item.features) / self.clock_hz

    def error(self, item: Measured) -> float:
        """Relative error of the predicted latency."""
        return self.predicted_s(item) / item.latency_s - 1

    @property
    def fitted(self) -> tuple[Measured, ...]:
        return tuple(item for item in self.measurements if item.is_fitted)


def named(found: Sequence[Calibration], name: str, board: Board) -> tuple[Calibration, ...]:
    """The calibrations whose name is ``name``, or begins so where none has it.

    Raises:
        UsageError: there is none, or the beginning fits several names.
    """
    wanted = name.casefold()
    exact = tuple(item for item in found if item.runtime.casefold() == wanted)
    begun = tuple(item for item in found if wanted and item.runtime.casefold().startswith(wanted))
    chosen = exact or begun
    if len({item.runtime for item in chosen}) == 1:
        return chosen
    known = ", ".join(dict.fromkeys(repr(item.runtime) for item in found)) or "none"
    wrong = "has no calibration" if not chosen else "has several calibrations that begin with"
    raise UsageError(f"board {board.name} {wrong} {name!r}; its calibrations: {known}")


def calibrations(board: Board) -> tuple[Calibration, ...]:
    """The calibrations in a board's file, in its order.

    Raises:
        BoardError: a table is malformed; says which key.
    """
    tables = board.tables.get("calibration", [])
    if not isinstance(tables, list):
        raise BoardError(f"board {board.name}: calibration must be an array of tables")
    return tuple(_Table(item, f"board {board.name}: calibration").calibration() for item in tables)


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table with the words for errors in it."""

    values: Any
    where: str

    def calibration(self) -> Calibration:
        return Calibration(
            runtime=self.text("runtime"),
            revision=self.text("revision"),
            kernels=self.text("kernels"),
            clock_hz=round(self.number("clock_hz")),
            costs=CoreCosts(
                self.number("cycles_per_instruction"),
                self.number("unaligned_load_cycles", 0),
                self.number("flash_cycles_per_byte", 0),
            ),
            spread=Spread(self.number("relative_sd"), self.number("degrees_of_freedom")),
            measurements=tuple(
                _Table(item, f"{self.where}.measurements").measured()
                for item in self._get("measurements", [])
            ),
        )

    def measured(self) -> Measured:
        return Measured(
            model=self.text("model"),
            sha256=self._get("sha256", None),
            features=Features(
                self.number("instructions"),
                self.number("unaligned_loads", 0),
                self.number("streamed_bytes", 0),
            ),
            latency_s=self.number("latency_s"),
            energy_j=self._optional("energy_j"),
            repeats=round(self.number("repeats", 1)),
            source=self.text("source"),
            is_fitted=bool(self._get("fitted", True)),
            left_out_error=self._optional("left_out_error"),
            reason=self._get("reason", ""),
        )

    def _get(self, key: str, default: Any = None) -> Any:
        if not isinstance(self.values, Mapping):
            raise BoardError(f"{self.where} must be a table")
        return self.values.get(key, default)

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise BoardError(f"{self.where}.{key} must be a string, not {value!r}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise BoardError(f"{self.where}.{key} must be a number, not {value!r}")
        return float(value)

    def _optional(self, key: str) -> float | None:
        return None if self._get(key) is None else self.number(key)
