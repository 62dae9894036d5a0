"""Latency of a model on a board: counts times what the board's core takes for each.

The costs of the core come from the calibration that is nearest: of this very board, kernel set and
clock, the newest of several; else of another board with the same core. The farther it is, the
wider the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from math import exp, log

from predictor.boards.board import Board, shipped_boards
from predictor.boards.calibration import Calibration, CoreCosts, Features
from predictor.cores.core import Core
from predictor.cost.coverage import further_model_spread
from predictor.cost.instructions import Basis, Work
from predictor.cost.spreads import load_spreads
from predictor.errors import UsageError
from predictor.intervals import Intervals, Spread, combined
from predictor.kernel_sets import own_kernels
from predictor.memory.revision import Revision
from predictor.records import dataclass
from predictor.words import counted


class TimingBasis(Enum):
    """Where the costs of a core come from, the surest first."""

    BOARD = "calibrated"
    OTHER_KERNELS = "other kernels of this board"
    OTHER_CLOCK = "other clock of this board"
    OTHER_BOARD = "other board with this core"
    UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Timing:
    """What a core takes, how sure that is, and the reason in words.

    ``calibration`` is the one it comes from, None where it comes from several boards.
    """

    costs: CoreCosts
    spread: Spread
    basis: TimingBasis
    evidence: str
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """Time of one inference: ``seconds`` = ``cycles`` / clock.

    Where branches differ these are of the dearest ones, ``least_s`` of the cheapest, and the
    intervals reach from the one to the other. Loops of unknown length run no round in them
    (:func:`loop_rounds` says what each adds); ``is_open``: the intervals have no upper end.
    ``once_s`` is what the first inference takes beside.
    """

    cycles: float
    seconds: float
    intervals: Intervals
    spread: Spread
    basis: TimingBasis
    evidence: str
    least_s: float
    once_s: float = 0.0
    is_open: bool = False

    @property
    def inferences_per_s(self) -> float:
        return 1 / self.seconds if self.seconds else 0.0


def timing(board: Board, revision: Revision, name: str | None = None) -> Timing:
    """The nearest calibration for a board that runs a revision with its kernel set.

    Args:
        name: takes the nearest of the board's calibrations with this name only.

    Raises:
        UsageError: the board has no calibration of that name.
    """
    own = board.calibrations
    if name is not None:
        own = _named(own, name, board)
    if not own:
        return _of_other_boards(board, revision)
    # A calibration that was added later stands further down in the file.
    nearest = min(reversed(own), key=lambda found: _distance(found, board, revision))
    return _of_this_board(nearest, board, revision)


def _named(found: Sequence[Calibration], name: str, board: Board) -> tuple[Calibration, ...]:
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


def _differences(found: Calibration, board: Board, revision: Revision) -> list[TimingBasis]:
    """In what a calibration of this board was made under other conditions."""
    differs = {
        TimingBasis.OTHER_KERNELS: (found.revision, found.kernels)
        != (revision.name, revision.kernels),
        TimingBasis.OTHER_CLOCK: found.clock_hz != board.core.clock_hz,
    }
    return [basis for basis, is_other in differs.items() if is_other]


def _distance(found: Calibration, board: Board, revision: Revision) -> float:
    spreads = load_spreads()
    return sum(spreads[basis.name].relative_sd for basis in _differences(found, board, revision))


def _of_this_board(found: Calibration, board: Board, revision: Revision) -> Timing:
    differences = _differences(found, board, revision)
    if not differences:
        fitted, known = len(found.fitted), len(found.measurements)
        count = ("" if fitted == known else f"{fitted} of ") + counted(known, "measurement")
        evidence = f"calibrated on {count} of this board ({found.runtime})"
        spread = further_model_spread(found)
        return Timing(found.costs, spread, TimingBasis.BOARD, evidence, found)
    words = {
        TimingBasis.OTHER_KERNELS: f"with {found.revision} {found.kernels} kernels",
        TimingBasis.OTHER_CLOCK: f"at {found.clock_hz / 1e6:g} MHz",
    }
    spreads = load_spreads()
    spread = combined([found.spread, *(spreads[basis.name] for basis in differences)])
    how = " and ".join(words[basis] for basis in differences)
    evidence = f"calibrated {how} on this board ({found.runtime})"
    costs = _with_kernels(found, board.core.model, revision)
    if costs != found.costs:
        evidence += f", changed to what the core's pipeline takes for {revision.kernels} kernels"
    return Timing(costs, spread, differences[-1], evidence, found)


def _with_kernels(found: Calibration, core: Core, revision: Revision) -> CoreCosts:
    """Costs of a calibration for the kernel set of a revision.

    Kernels differ in what the pipeline takes for their instructions: loads in the one are products
    in the other. What memory makes an instruction wait beside stays as it was measured.
    """
    known = dict(core.kernel_cycles)
    measured, own = own_kernels(found.kernels), own_kernels(revision.kernels)
    if measured == own or measured not in known or own not in known:
        return found.costs
    whole = found.costs.cycles_per_instruction
    pipeline = min(whole, known[measured])
    changed = pipeline * known[own] / known[measured] + whole - pipeline
    return replace(found.costs, cycles_per_instruction=changed)


def _of_other_boards(board: Board, revision: Revision) -> Timing:
    """Mean of the shipped calibrations of this core, on a logarithmic scale."""
    from statistics import fmean  # few boards need it, and it takes a while to import

    alike = [
        other
        for other in shipped_boards()
        if other.core.name == board.core.name and other.name != board.name and other.calibrations
    ]
    basis = TimingBasis.OTHER_BOARD if alike else TimingBasis.UNCALIBRATED
    others = alike or [other for other in shipped_boards() if other.calibrations]
    names = ", ".join(other.name for other in others)
    found = [
        _with_kernels(item, other.core.model, revision)
        for other in others
        for item in other.calibrations
    ]
    costs = CoreCosts(
        exp(fmean(log(item.cycles_per_instruction) for item in found)),
        fmean(item.unaligned_load_cycles for item in found),
        fmean(item.flash_cycles_per_byte for item in found),
    )
    evidence = f"not calibrated: {board.core.name} constants of {names}"
    if basis is TimingBasis.UNCALIBRATED:
        evidence = f"not calibrated: constants of other cores ({names})"
    return Timing(costs, load_spreads()[basis.name], basis, evidence)


def features(works: Iterable[Work]) -> Features:
    """The sums that calibrations are fitted on."""
    works = tuple(works)
    return Features(
        sum(item.instructions for item in works),
        sum(item.unaligned_loads for item in works),
        sum(item.streamed_bytes for item in works),
    )


def seconds(works: Iterable[Work], timing: Timing, board: Board) -> float:
    """Time of so much work, nothing but the figure."""
    return timing.costs.cycles(features(works)) / board.core.clock_hz


def latency(works: tuple[Work, ...], timing: Timing, board: Board) -> LatencyEstimate:
    """Latency of one inference of a model whose operators take ``works``."""
    cycles = timing.costs.cycles(features(works))
    seconds = cycles / board.core.clock_hz
    found = shares(works)
    spread = combined([timing.spread, _count_spread(found, board.core.model)])
    evidence = timing.evidence
    proxies = found[Basis.PROXY]
    others = found[Basis.OTHER_CORE]
    elsewhere = found[Basis.OTHER_REVISION]
    if elsewhere > 0:
        evidence += f"; {100 * elsewhere:.0f} % of the instructions as counted with a newer TFLM"
    if others > 0:
        evidence += f"; {100 * others:.0f} % of the instructions as counted on another core"
    if proxies > 0:
        evidence += f"; {100 * proxies:.0f} % of the instructions are a proxy"
    return LatencyEstimate(
        cycles,
        seconds,
        Intervals.around(seconds, spread),
        spread,
        timing.basis,
        evidence,
        least_s=seconds,
    )


def shares(works: Iterable[Work]) -> dict[Basis, float]:
    """Fraction of the instructions that rests on each basis."""
    counts: dict[Basis, list[float]] = {basis: [] for basis in Basis}
    whole = []
    for item in works:
        counts[item.basis].append(item.instructions)
        whole.append(item.instructions)
    instructions = sum(whole)
    return {
        basis: sum(found) / instructions if instructions else 0 for basis, found in counts.items()
    }


def _count_spread(found: Mapping[Basis, float], core: Core) -> Spread:
    """Spread of a model's instructions: of each basis the spread of its share."""
    spreads = dict(load_spreads())
    if core.stand_in is not None:
        own = Spread(core.stand_in.relative_sd, core.stand_in.models)
        spreads[Basis.OTHER_CORE.name] = own
    if core.count_spread is not None:
        own = Spread(core.count_spread.relative_sd, core.count_spread.models)
        spreads[Basis.MODEL.name] = own
    parts = [
        Spread(
            spreads[basis.name].relative_sd * found[basis],
            spreads[basis.name].degrees_of_freedom,
        )
        for basis in Basis
    ]
    return combined(parts)
