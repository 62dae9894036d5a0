"""Power of a board while it computes, by class of work: the ``power`` tables of its file.

Power depends on clock and supply voltage: what was measured at others is scaled to the board's. A
board whose file names no power has none; it never takes over another board's by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log

from predictor.boards.board import Board, shipped_boards
from predictor.boards.power import CONVOLUTION, FULLY_CONNECTED, Power
from predictor.cost.spreads import load_spreads
from predictor.errors import BoardError
from predictor.intervals import Spread, combined
from predictor.records import dataclass
from predictor.words import counted


def powers(board: Board) -> Mapping[str, Power]:
    """Power by class of work as the board's file has it; empty where it has none."""
    known = {
        CONVOLUTION: board.power.convolution,
        FULLY_CONNECTED: board.power.fully_connected,
    }
    return {
        name: replace(power, clock_hz=power.clock_hz or board.core.clock_hz)
        for name, power in known.items()
        if power is not None
    }


def _scaled(power: Power, clock_hz: int, supply_v: float | None) -> Power:
    """A power at another clock and supply voltage, with what the step leaves unsure.

    The current follows the clock, and hardly depends on the voltage where a linear regulator
    feeds the core, so that power follows both; ``spreads.toml`` says how exactly.
    """
    steps = {
        "POWER_OF_CLOCK": log(clock_hz / (power.clock_hz or clock_hz)),
        "POWER_OF_VOLTAGE": log(supply_v / (power.supply_v or supply_v)) if supply_v else 0.0,
    }
    spreads = load_spreads()
    unsure = [
        Spread(abs(step) * spreads[name].relative_sd, spreads[name].degrees_of_freedom)
        for name, step in steps.items()
    ]
    watts = power.active_w * exp(sum(steps.values()))
    return Power(watts, combined([power.spread, *unsure]), power.measurements, clock_hz, supply_v)


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
        BoardError: it names a board that does not ship, or whose power is not known.
    """
    own = powers(board)
    if CONVOLUTION in own:
        return _at(board, own, "of this board", [])
    if board.power.like is None:
        return None
    other = _stand_in(board, board.power.like)
    unsure = [load_spreads()["OTHER_POWER"]]
    return _at(board, powers(other), f"of {other.name}, which stands in for this board", unsure)


def _stand_in(board: Board, name: str) -> Board:
    known = {other.name: other for other in shipped_boards() if CONVOLUTION in powers(other)}
    if name not in known:
        raise BoardError(
            f"board {board.name}: power.like is {name!r}, not one of the boards with a known "
            f"power: {', '.join(known)}"
        )
    return known[name]


def _at(board: Board, known: Mapping[str, Power], whose: str, unsure: list[Spread]) -> BoardPower:
    """Known powers at a board's clock and voltage."""
    clock_hz, supply_v = board.core.clock_hz, board.power.supply_v
    found = {}
    for name, power in known.items():
        scaled = _scaled(power, clock_hz, supply_v)
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
