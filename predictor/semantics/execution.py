"""How often one inference runs each subgraph: loops, branches, and what runs only once.

Loops and conditions are followed with the values that are known before the model runs
(``values``). Where a condition is not known, both branches are kept apart; where a loop's is not,
its rounds are left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field

from predictor.model.graph import Graph, Operator, Subgraph
from predictor.records import dataclass
from predictor.semantics.values import Value, can_evaluate, constant, evaluate

MOST_STEPS = 100_000
"""Operators and runs that are looked at before control flow counts as too long to follow."""
_CONSTANTS_OF_A_STEP = 16
"""Constants of a subgraph that a run of it reads in the time of an operator."""
MOST_DEPTH = 64
"""Subgraphs within subgraphs up to which calls are followed."""
CALLING = frozenset(("IF", "WHILE", "CALL_ONCE"))

Place = tuple[int, int]
"""(subgraph, operator)."""
Part = tuple[int, int | None]
"""(subgraph, None): one run of its operators; (subgraph, operator): one round of a WHILE's own
work, which is copies between it and its subgraphs."""
Cost = Callable[[Part], float]


@dataclass(frozen=True, slots=True)
class Runs:
    """What runs in an inference.

    ``parts``: how often each part surely runs. ``choices``: how often one of several alternatives
    runs; among those of one price the first counts. ``rounds``: of each loop that runs an unknown
    number of rounds, (its operator, what a round runs).
    """

    parts: tuple[tuple[Part, int], ...]
    choices: tuple[tuple[tuple[Runs, ...], int], ...] = ()
    rounds: tuple[tuple[Place, Runs], ...] = ()

    def path(self, cost: Cost, pick: Callable[..., Counter[Part]] = max) -> Counter[Part]:
        """How often each part runs where each choice falls on the dearest (or, with ``min``, the
        cheapest) alternative; loops of unknown length run no round."""
        total: Counter[Part] = Counter(dict(self.parts))
        for alternatives, count in self.choices:
            paths = [alternative.path(cost, pick) for alternative in alternatives]
            chosen = pick(paths, key=lambda path: price(path, cost))
            for part, runs in chosen.items():
                total[part] += count * runs
        return total

    def bounds(self, pick: Callable[[int, int], int]) -> Counter[Part]:
        """How often each part runs at most (or, with ``min``, at least), each for itself; loops
        of unknown length run no round."""
        total: Counter[Part] = Counter(dict(self.parts))
        for alternatives, count in self.choices:
            bounds = [alternative.bounds(pick) for alternative in alternatives]
            chosen = bounds[0]
            for other in bounds[1:]:
                parts = chosen.keys() | other.keys()
                chosen = Counter({part: pick(chosen[part], other[part]) for part in parts})
            for part, runs in chosen.items():
                total[part] += count * runs
        return total

    def open_loops(self) -> dict[Place, Runs]:
        """The loops of unknown length that may run, with what one round runs.

        Loops within such a loop are not among them.
        """
        found = dict(self.rounds)
        for alternatives, _ in self.choices:
            for alternative in alternatives:
                found.update(alternative.open_loops())
        return found

    def touched(self) -> set[Part]:
        """All parts that may run."""
        found = {part for part, _ in self.parts}
        for alternatives, _ in self.choices:
            found.update(part for runs in alternatives for part in runs.touched())
        for _, runs in self.rounds:
            found |= runs.touched()
        return found

    @property
    def may_vary(self) -> bool:
        """Whether an inference may take more or less than another."""
        return bool(self.choices or self.rounds)


def price(path: Mapping[Part, int], cost: Cost) -> float:
    """What all runs along a path cost together."""
    return sum(runs * cost(part) for part, runs in path.items())


@dataclass(frozen=True, slots=True)
class Execution:
    """What each inference runs, and what only the first one does.

    ``is_followed`` is False where control flow was too long or calls itself: ``each`` then is
    one run of the main subgraph, a lower bound.
    """

    each: Runs
    once: Runs
    is_followed: bool = True

    @property
    def is_open(self) -> bool:
        """Whether there is no upper bound for what an inference takes."""
        return not self.is_followed or bool(self.each.open_loops())

    @property
    def may_vary(self) -> bool:
        """Whether an inference may take more or less than another."""
        return self.is_open or self.each.may_vary

    def bounds(self, subgraphs: Iterable[int]) -> dict[int, tuple[int, int | None]]:
        """How often an inference runs subgraphs, at least and at most."""
        least, most = self.each.bounds(min), self.each.bounds(max)
        unbounded = {part for runs in self.each.open_loops().values() for part in runs.touched()}
        found: dict[int, tuple[int, int | None]] = {}
        for index in subgraphs:
            part = (index, None)
            is_bounded = self.is_followed and part not in unbounded
            found[index] = (least[part], most[part] if is_bounded else None)
        return found


ONE_RUN = Runs((((0, None), 1),))
NOTHING = Runs(())


def execution(graph: Graph) -> Execution:
    """Follows the control flow of a model from its main subgraph."""
    if not any(op.name in CALLING for subgraph in graph.subgraphs for op in subgraph.operators):
        return Execution(ONE_RUN, NOTHING)
    try:
        return _Follower(graph).execution()
    except _TooLongError:
        return Execution(ONE_RUN, NOTHING, is_followed=False)


class _TooLongError(Exception):
    """Control flow takes more steps than are followed, or calls itself."""


@dataclass(slots=True)
class _Record:
    """Runs that are being counted."""

    parts: Counter[Part] = field(default_factory=Counter)
    choices: Counter[tuple[Runs, ...]] = field(default_factory=Counter)
    rounds: dict[Place, Runs] = field(default_factory=dict)

    def frozen(self) -> Runs:
        return Runs(
            tuple(self.parts.items()), tuple(self.choices.items()), tuple(self.rounds.items())
        )


Known = list[Value | None]


class _Follower:
    """Runs a graph on what is known."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._steps = 0
        self._active: list[int] = []
        self._called_once: set[Hashable] = set()
        self._once = _Record()
        self._constants = [
            {
                tensor.index: value
                for tensor in subgraph.tensors
                if (value := constant(tensor)) is not None
            }
            for subgraph in graph.subgraphs
        ]
        self._followed = [
            [op for op in subgraph.operators if _is_calling(op) or can_evaluate(op, subgraph)]
            for subgraph in graph.subgraphs
        ]

    def execution(self) -> Execution:
        record = _Record()
        self._run(0, [None] * len(self._graph.main.inputs), record)
        return Execution(record.frozen(), self._once.frozen())

    def _run(self, index: int, inputs: Sequence[Value | None], record: _Record) -> Known:
        """One run of a subgraph; gives what is known of its outputs."""
        is_known = 0 <= index < len(self._graph.subgraphs)
        if not is_known or index in self._active or len(self._active) >= MOST_DEPTH:
            raise _TooLongError
        # A run takes a step even where nothing in it is followed: a loop of such runs has no end.
        self._step(1 + len(self._constants[index]) // _CONSTANTS_OF_A_STEP)
        self._active.append(index)
        subgraph = self._graph.subgraphs[index]
        record.parts[index, None] += 1
        known = dict(self._constants[index])
        for tensor, value in zip(subgraph.inputs, inputs, strict=False):
            if value is not None:
                known[tensor] = value
        for op in self._followed[index]:
            self._step()
            read = [known.get(tensor) for tensor in op.inputs]
            if _is_calling(op):
                written = self._call(op, subgraph, read, record)
            else:
                written = [evaluate(op, read, subgraph.tensors[op.outputs[0]])]
            for tensor, value in zip(op.outputs, written, strict=False):
                if value is None:
                    known.pop(tensor, None)
                else:
                    known[tensor] = value
        self._active.pop()
        return [known.get(tensor) for tensor in subgraph.outputs]

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise _TooLongError

    def _call(self, op: Operator, subgraph: Subgraph, read: Known, record: _Record) -> Known:
        if op.name == "CALL_ONCE":
            self._call_once(op, subgraph)
            return []
        if op.name == "IF":
            return self._branch(op, read, record)
        return self._loop(op, subgraph, read, record)

    def _call_once(self, op: Operator, subgraph: Subgraph) -> None:
        if (subgraph.index, op.index) not in self._called_once:
            self._called_once.add((subgraph.index, op.index))
            self._run(_target(op, "init_subgraph_index"), [], self._once)

    def _branch(self, op: Operator, read: Known, record: _Record) -> Known:
        targets = [_target(op, f"{name}_subgraph_index") for name in ("then", "else")]
        condition = read[0] if read else None
        if condition is not None and len(condition.items) == 1:
            return self._run(targets[0 if condition.items[0] else 1], read[1:], record)
        alternatives, outputs = [], []
        for target in targets:
            branch = _Record()
            outputs.append(self._run(target, read[1:], branch))
            alternatives.append(branch.frozen())
        record.choices[tuple(dict.fromkeys(alternatives))] += 1
        return [one if one == other else None for one, other in zip(*outputs, strict=False)]

    def _loop(self, op: Operator, subgraph: Subgraph, read: Known, record: _Record) -> Known:
        condition, body = (_target(op, f"{name}_subgraph_index") for name in ("cond", "body"))
        state = read
        while True:
            (goes_on, *_) = [*self._run(condition, state, record), None]
            if goes_on is None or len(goes_on.items) != 1:
                self._open_loop(op, subgraph, state, record)
                return [None] * len(op.outputs)
            if not goes_on.items[0]:
                return state
            record.parts[subgraph.index, op.index] += 1
            state = self._run(body, state, record)

    def _open_loop(self, op: Operator, subgraph: Subgraph, state: Known, record: _Record) -> None:
        """A round of a loop whose condition is not known; what it does not change stays known."""
        condition, body = (_target(op, f"{name}_subgraph_index") for name in ("cond", "body"))
        if not 0 <= body < len(self._graph.subgraphs):
            raise _TooLongError
        called = self._graph.subgraphs[body]
        kept = [
            value if before == after else None
            for value, before, after in zip(state, called.inputs, called.outputs, strict=False)
        ]
        a_round = _Record()
        a_round.parts[subgraph.index, op.index] += 1
        self._run(body, kept, a_round)
        self._run(condition, kept, a_round)
        record.rounds[subgraph.index, op.index] = a_round.frozen()


def _is_calling(op: Operator) -> bool:
    return op.name in CALLING and not op.is_custom


def _target(op: Operator, name: str) -> int:
    index = op.options.get(name, 0)
    return index if isinstance(index, int) else -1
