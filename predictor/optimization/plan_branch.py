"""Plans by canonical branch and bound, for buffers that may not overlap.

The search itself is C (``_placement.c``) and is left out where the package was built without a
compiler. It decides whether buffers fit a height; several orders of trying take turns with ever
more nodes, since none of them is best for all problems. Heights are lowered from the best known
plan.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
import time
from collections.abc import Callable
from functools import reduce
from math import gcd

import numpy as np
import numpy.typing as npt

from predictor.optimization.plan_problem import PlanProblem, Solution

_RULES = 4
_NODES_PER_BUFFER = 4
_POLL_S = 0.05
_PLACED, _IMPOSSIBLE, _STOPPED, _NO_MEMORY = range(4)


class _Fields(ctypes.Structure):
    """``Problem`` in ``_placement.c``, field by field."""

    _fields_ = [
        ("buffers", ctypes.c_int32),
        ("sections", ctypes.c_int32),
        ("size", ctypes.c_void_p),
        ("begin", ctypes.c_void_p),
        ("end", ctypes.c_void_p),
        ("width", ctypes.c_void_p),
        ("neighbour", ctypes.c_void_p),
        ("neighbour_at", ctypes.c_void_p),
        ("member", ctypes.c_void_p),
        ("member_at", ctypes.c_void_p),
        ("height", ctypes.c_int64),
        ("rule", ctypes.c_int32),
        ("nodes", ctypes.c_int64),
        ("deadline_s", ctypes.c_double),
        ("is_cancelled", ctypes.c_int32),
        ("offset", ctypes.c_void_p),
    ]


def native_library() -> ctypes.CDLL | None:
    """The extension module as a C library, or None where it was not built."""
    try:
        module = importlib.import_module("predictor.optimization._placement")
    except ImportError:
        return None
    if ctypes.sizeof(_Fields) != module.PROBLEM_BYTES:
        return None  # built from an older source
    return ctypes.CDLL(module.__file__)


def is_available(problem: PlanProblem) -> bool:
    """Whether this search can plan the problem: no overlaps, no choices, some buffer."""
    has_buffers = any(buffer.size_bytes for buffer in problem.buffers)
    is_plain = not problem.overlaps and not problem.prices
    return has_buffers and is_plain and native_library() is not None


class _Arrays:
    """A problem as the C search takes it. Sizes count in their greatest common divisor."""

    def __init__(self, problem: PlanProblem) -> None:
        self.chosen = [i for i, buffer in enumerate(problem.buffers) if buffer.size_bytes]
        buffers = [problem.buffers[i] for i in self.chosen]
        self.unit = reduce(gcd, (buffer.size_bytes for buffer in buffers))
        steps = sorted({s for b in buffers for s in (b.first_use, b.last_use + 1)})
        place = {step: number for number, step in enumerate(steps)}
        self.sections = len(steps) - 1
        self.size = np.array([b.size_bytes // self.unit for b in buffers], np.int64)
        self.begin = np.array([place[b.first_use] for b in buffers], np.int32)
        self.end = np.array([place[b.last_use + 1] for b in buffers], np.int32)
        self.width = np.array([b.last_use + 1 - b.first_use for b in buffers], np.int64)
        alive = (self.begin[:, None] < self.end) & (self.begin < self.end[:, None])
        np.fill_diagonal(alive, False)
        self.neighbour, self.neighbour_at = _lists(alive)
        section = np.arange(self.sections)[:, None]
        self.member, self.member_at = _lists((self.begin <= section) & (section < self.end))
        self.offset = np.zeros(len(buffers), np.int64)

    def fields(self) -> _Fields:
        arrays = {
            name: getattr(self, name).ctypes.data
            for name in (
                *("size", "begin", "end", "width", "neighbour", "neighbour_at"),
                *("member", "member_at", "offset"),
            )
        }
        return _Fields(buffers=len(self.size), sections=self.sections, **arrays)

    def offsets(self, count: int) -> tuple[int, ...]:
        found = [0] * count
        for index, offset in zip(self.chosen, self.offset, strict=True):
            found[index] = int(offset) * self.unit
        return tuple(found)


def _lists(
    relation: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Of each row the columns that are set, all in one array, and where each row begins."""
    begins = np.concatenate([[0], np.cumsum(relation.sum(axis=1))])
    return np.nonzero(relation)[1].astype(np.int32), begins.astype(np.int32)


def search(
    problem: PlanProblem,
    best: Solution,
    deadline: float,
    found: Callable[[Solution], None],
) -> bool:
    """Lowers the height from that of ``best`` until nothing lower exists or time is up.

    The lower bound is tried first, as most problems reach it; then heights between it and the best
    known, which halve what is open.

    Args:
        deadline: of ``time.monotonic()``.
        found: gets each plan that is lower than all before it.

    Returns:
        whether the last plan found, or ``best``, is proven to be the lowest.

    Raises:
        KeyboardInterrupt: the user stopped it; plans until then were given to ``found``.
    """
    library = native_library()
    assert library is not None
    arrays = _Arrays(problem)
    low = -(-problem.lower_bound_bytes // arrays.unit)
    high = best.height_bytes // arrays.unit
    target = low
    while low < high:
        if time.monotonic() >= deadline:
            return False
        status = _decide(library, arrays, target, deadline)
        if status == _PLACED:
            offsets = arrays.offsets(len(problem.buffers))
            height = problem.height_bytes(offsets)
            high = height // arrays.unit
            found(Solution(offsets, height, problem.lower_bound_bytes, is_complete=high <= low))
        elif status == _IMPOSSIBLE:
            low = target + 1
        else:
            return False
        target = (low + high) // 2
    return True


def _decide(library: ctypes.CDLL, arrays: _Arrays, height: int, deadline: float) -> int:
    """Whether buffers fit a height: orders of trying in turn, each time with twice the nodes."""
    nodes = _NODES_PER_BUFFER * len(arrays.size)
    while True:
        for rule in range(_RULES):
            fields = arrays.fields()
            fields.height, fields.rule, fields.nodes = height, rule, nodes
            fields.deadline_s = deadline
            status = _run(library, fields)
            if status != _STOPPED or time.monotonic() >= deadline:
                return status
        nodes *= 2


def _run(library: ctypes.CDLL, fields: _Fields) -> int:
    """One search, in a thread, so that an interrupt ends it."""
    status: list[int] = []
    is_done = threading.Event()

    def run() -> None:
        status.append(int(library.place_buffers(ctypes.byref(fields))))
        is_done.set()

    threading.Thread(target=run, daemon=True).start()
    try:
        while not is_done.wait(_POLL_S):
            pass
    except KeyboardInterrupt:
        fields.is_cancelled = 1
        is_done.wait()
        raise
    return status[0]
