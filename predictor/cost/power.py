"""Power of a board while it computes, by class of work: the ``power`` tables of its file.

Power depends on clock and supply voltage: what was measured at others is scaled to the board's. A
board whose file names no power has none; it never takes over another board's by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log
from typing import Any

from predictor.boards.board import Board, shipped_boards
from predictor.cost.intervals import Spread, combined
from predictor.cost.spreads import load_spreads
from predictor.errors import BoardError
from predictor.words import counted

CONVOLUTION = "convolution"
FULLY_CONNECTED = "fully_connected"


@dataclass(frozen=True, slots=True)
class Power:
    """Power while a class of work runs, in watts. ``measurements`` is how many it rests on.

    ``clock_hz`` and ``supply_v`` say at what it was measured; None where that is not known, and
    then it is taken for the board's own.
    """

    active_w: float
    spread: Spread
    measurements: int
    clock_hz: int | None = None
    supply_v: float | None = None

    def at(self, clock_hz: int, supply_v: float | None) -> Power:
        """The power at another clock and supply voltage, with what the step leaves unsure.

        The current follows the clock, and hardly depends on the voltage where a linear regulator
        feeds the core, so that power follows both; ``spreads.toml`` says how exactly.
        """
        steps = {
            "POWER_OF_CLOCK": log(clock_hz / (self.clock_hz or clock_hz)),
            "POWER_OF_VOLTAGE": log(supply_v / (self.supply_v or supply_v)) if supply_v else 0.0,
        }
        spreads = load_spreads()
        unsure = [
            Spread(abs(step) * spreads[name].relative_sd, spreads[name].degrees_of_freedom)
            for name, step in steps.items()
        ]
        watts = self.active_w * exp(sum(steps.values()))
        return Power(watts, combined([self.spread, *unsure]), self.measurements, clock_hz, supply_v)


def powers(board: Board) -> Mapping[str, Power]:
    """Power by class of work, from the board's ``power`` table; empty where it has none.

    Raises:
        BoardError: the table is malformed.
    """
    table = _power_table(board)
    return {
        name: _power(board, f"power.{name}", table[name])
        for name in (CONVOLUTION, FULLY_CONNECTED)
        if name in table
    }


def _power_table(board: Board) -> Mapping[str, Any]:
    table = board.tables.get("power", {})
    if not isinstance(table, Mapping):
        raise BoardError(f"board {board.name}: power must be a table")
    return table


def _power(board: Board, where: str, table: Any) -> Power:
    try:
        watts, deviation = float(table["active_w"]), float(table["active_sd_w"])
        count = int(table["measurements"])
        clock_hz = int(table.get("clock_hz", board.core.clock_hz))
        supply_v = _volts(table)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BoardError(
            f"board {board.name}: {where} needs the numbers active_w, active_sd_w and "
            "measurements, and may have clock_hz and supply_v"
        ) from error
    if not (0 < watts < inf and 0 <= deviation < inf and count >= 1 and clock_hz >= 1):
        raise BoardError(f"board {board.name}: {where} holds figures out of range")
    spread = Spread(deviation / watts, max(1, count - 1))
    return Power(watts, spread, count, clock_hz, supply_v)


def _volts(table: Mapping[str, Any]) -> float | None:
    """``supply_v`` of a table.

    Raises:
        ValueError: it is no voltage of a microcontroller board.
    """
    if "supply_v" not in table:
        return None
    volts = float(table["supply_v"])
    if not 0.5 <= volts <= 60:
        raise ValueError("supply_v")
    return volts


def sleep_power_w(board: Board) -> float | None:
    """Power between inferences, None where the board's file does not say.

    Raises:
        BoardError: it is no power.
    """
    watts = _power_table(board).get("sleep_w")
    if watts is None:
        return None
    if isinstance(watts, bool) or not isinstance(watts, int | float) or not 0 <= watts < inf:
        raise BoardError(f"board {board.name}: power.sleep_w must be a number, not {watts!r}")
    return float(watts)


@dataclass(frozen=True, slots=True)
class BoardPower:
    """Power of a board by class of work, at its own clock and voltage, and where it comes from.

    ``is_inferred``: it was measured on another board, or at another clock or voltage.
    """

    by_class: Mapping[str, Power]
    evidence: str
    is_inferred: bool


def board_power(board: Board) -> BoardPower | None:
    """What a board draws while it computes; None where its file does not say.

    A file may name another board that ships, whose power then stands in (``power.like``); no board
    inherits another's power otherwise.

    Raises:
        BoardError: the table is malformed.
    """
    own, table = powers(board), _power_table(board)
    if CONVOLUTION in own:
        return _at(board, own, "of this board", [])
    if "like" not in table:
        return None
    other = _stand_in(board, table["like"])
    unsure = [load_spreads()["OTHER_POWER"]]
    return _at(board, powers(other), f"of {other.name}, which stands in for this board", unsure)


def _stand_in(board: Board, name: Any) -> Board:
    known = {other.name: other for other in shipped_boards() if CONVOLUTION in powers(other)}
    if not isinstance(name, str) or name not in known:
        raise BoardError(
            f"board {board.name}: power.like is {name!r}, not one of the boards with a known "
            f"power: {', '.join(known)}"
        )
    return known[name]


def _at(board: Board, known: Mapping[str, Power], whose: str, unsure: list[Spread]) -> BoardPower:
    """Known powers at a board's clock and voltage."""
    try:
        supply_v = _volts(_power_table(board))
    except (TypeError, ValueError) as error:
        raise BoardError(f"board {board.name}: power.supply_v is no voltage") from error
    clock_hz = board.core.clock_hz
    found = {}
    for name, power in known.items():
        scaled = power.at(clock_hz, supply_v)
        found[name] = replace(scaled, spread=combined([scaled.spread, *unsure]))
    measured = known[CONVOLUTION]
    steps = []
    if measured.clock_hz and measured.clock_hz != clock_hz:
        steps.append(f"from {measured.clock_hz / 1e6:g} to {clock_hz / 1e6:g} MHz")
    if measured.supply_v and supply_v and measured.supply_v != supply_v:
        steps.append(f"from {measured.supply_v:g} to {supply_v:g} V")
    count = counted(measured.measurements, "measurement")
    scaled_by = f", scaled {' and '.join(steps)}" if steps else ""
    return BoardPower(found, f"power from {count} {whose}{scaled_by}", bool(unsure or steps))
