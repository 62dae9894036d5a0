"""How often control flow runs what: against plain execution, and for flow that is not known."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.model.builder import ModelBuilder, SubgraphBuilder, TensorRef
from predictor.model.random_control_flow import random_control_flow
from predictor.semantics.execution import MOST_STEPS, Execution, Part, Runs, execution

ONE = ((1,), "int32")


def _loop(
    builder: ModelBuilder, part: SubgraphBuilder, start: TensorRef, limit: int, step: int
) -> tuple[SubgraphBuilder, SubgraphBuilder, TensorRef]:
    """A WHILE that counts; gives its subgraphs and the counter after it."""
    condition, body = builder.subgraph("cond"), builder.subgraph("body")
    counter = condition.input((1,), "int32")
    last = condition.constant([limit])
    condition.output(*condition.operator("LESS", [counter, last], [((1,), "bool")], {}))
    counter = body.input((1,), "int32")
    body.output(*body.operator("ADD", [counter, body.constant([step])], [ONE], {}))
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    (end,) = part.operator("WHILE", [start], [ONE], options)
    return condition, body, end


def _parts(found: Execution) -> Counter[Part]:
    assert not found.may_vary
    return found.each.path(lambda part: 1.0)


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 5))
def test_rounds_of_a_counter(start: int, limit: int, step: int) -> None:
    builder = ModelBuilder("m")
    condition, body, end = _loop(builder, builder, builder.constant([start]), limit, step)
    builder.output(end)
    rounds = len(range(start, limit, step))
    found = _parts(execution(builder.graph()))
    assert found[body.index, None] == found[0, 0] == rounds
    assert found[condition.index, None] == rounds + 1


def test_a_loop_behind_a_loop_starts_where_that_ended() -> None:
    builder = ModelBuilder("m")
    _, first, middle = _loop(builder, builder, builder.constant([0]), 5, 2)
    _, second, end = _loop(builder, builder, middle, 10, 1)
    builder.output(end)
    found = _parts(execution(builder.graph()))
    assert (found[first.index, None], found[second.index, None]) == (3, 4)


def test_loops_in_loops_depend_on_the_outer_counter() -> None:
    """A triangle: the inner loop counts up to 4 from the outer counter."""
    builder = ModelBuilder("m")
    condition, body = builder.subgraph("cond"), builder.subgraph("body")
    counter = condition.input((1,), "int32")
    last = condition.constant([4])
    condition.output(*condition.operator("LESS", [counter, last], [((1,), "bool")], {}))
    counter = body.input((1,), "int32")
    _, inner, _ = _loop(builder, body, counter, 4, 1)
    body.output(*body.operator("ADD", [counter, body.constant([1])], [ONE], {}))
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    builder.output(*builder.operator("WHILE", [builder.constant([0])], [ONE], options))
    found = _parts(execution(builder.graph()))
    assert found[body.index, None] == 4
    assert found[inner.index, None] == 4 + 3 + 2 + 1


def test_an_unknown_start_leaves_rounds_open() -> None:
    builder = ModelBuilder("m")
    condition, body, end = _loop(builder, builder, builder.input((1,), "int32"), 5, 1)
    builder.output(end)
    found = execution(builder.graph())
    assert found.is_open
    ((place, each),) = found.each.open_loops().items()
    assert place == (0, 0)
    assert each.path(lambda part: 1.0) == {
        (0, 0): 1,
        (condition.index, None): 1,
        (body.index, None): 1,
    }
    assert found.bounds([0, condition.index, body.index]) == {
        0: (1, 1),
        condition.index: (1, None),
        body.index: (0, None),
    }


def _branches(builder: ModelBuilder, condition: TensorRef) -> list[SubgraphBuilder]:
    x = builder.input((4,))
    branches = [builder.subgraph(name) for name in ("then", "else")]
    for count, branch in enumerate(branches, 1):
        y = branch.input((4,))
        for _ in range(count):
            y = branch.relu(y)
        branch.output(y)
    options = dict(
        zip(("then_subgraph_index", "else_subgraph_index"), (b.index for b in branches),
            strict=True)
    )  # fmt: skip
    builder.output(*builder.operator("IF", [condition, x], [((4,), "int8")], options))
    return branches


def test_one_of_two_branches_runs() -> None:
    builder = ModelBuilder("m")
    then, other = _branches(builder, builder.input((1,), "bool"))
    found = execution(builder.graph())
    assert found.may_vary
    assert not found.is_open
    price = {(then.index, None): 1.0, (other.index, None): 2.0}
    dearest = found.each.path(lambda part: price.get(part, 0.0), max)
    cheapest = found.each.path(lambda part: price.get(part, 0.0), min)
    assert dearest == {(0, None): 1, (other.index, None): 1}
    assert cheapest == {(0, None): 1, (then.index, None): 1}
    assert found.bounds([then.index, other.index]) == {then.index: (0, 1), other.index: (0, 1)}


@pytest.mark.parametrize("value", [True, False])
def test_a_known_condition_takes_its_branch(value: bool) -> None:
    builder = ModelBuilder("m")
    then, other = _branches(builder, builder.constant([value]))
    found = _parts(execution(builder.graph()))
    assert (found[then.index, None], found[other.index, None]) == (int(value), int(not value))


def test_what_runs_once_is_apart() -> None:
    builder = ModelBuilder("m")
    init = builder.subgraph("init")
    init.output(init.constant([1, 2]))
    for _ in range(2):
        builder.operator("CALL_ONCE", [], [], {"init_subgraph_index": init.index})
    builder.output(builder.relu(builder.input((4,))))
    found = execution(builder.graph())
    assert _parts(found) == {(0, None): 1}
    assert found.once.path(lambda part: 1.0) == {(init.index, None): 2}


def test_flow_that_is_too_long_or_calls_itself_is_a_lower_bound() -> None:
    long = ModelBuilder("long")
    _, _, end = _loop(long, long, long.constant([0]), MOST_STEPS, 1)
    long.output(end)
    recursive = ModelBuilder("recursive")
    then, _ = _branches(recursive, recursive.input((1,), "bool"))
    y = then.input((1,), "bool")
    options = {"then_subgraph_index": then.index, "else_subgraph_index": then.index}
    then.operator("IF", [y], [], options)
    endless = ModelBuilder("endless")
    condition, body = endless.subgraph("cond"), endless.subgraph("body")
    condition.input((1,), "int32")
    condition.output(condition.constant([True], "bool"))
    body.output(body.relu(body.input((1,), "int32")))
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    endless.output(*endless.operator("WHILE", [endless.input(*ONE)], [ONE], options))
    for builder in (long, recursive, endless):
        found = execution(builder.graph())
        assert not found.is_followed
        assert found.is_open
        assert found.each.path(lambda part: 1.0) == {(0, None): 1}


def test_branches_that_call_branches_do_not_take_forever() -> None:
    """Each of 40 subgraphs calls the next one twice: 2 to the 40 runs."""
    builder = ModelBuilder("m")
    condition = builder.input((1,), "bool")
    parts: list[SubgraphBuilder] = [builder, *(builder.subgraph() for _ in range(40))]
    for part, following in itertools.pairwise(parts):
        c = condition if part is builder else part.input((1,), "bool")
        options = {
            "then_subgraph_index": following.index, "else_subgraph_index": following.index,
        }  # fmt: skip
        for _ in range(2):
            part.operator("IF", [c, c], [], options)
        part.output(c)
    last = parts[-1]
    last.output(last.input((1,), "bool"))
    assert not execution(builder.graph()).is_followed


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_bounds_hold_the_paths_between_them(seed: int) -> None:
    found = execution(random_control_flow(seed).graph())
    indices = range(40)
    bounds = found.bounds(indices)
    for pick in (min, max):
        path = found.each.path(lambda part: float(part[0]), pick)
        for index in indices:
            least, most = bounds[index]
            assert least <= path[index, None]
            assert most is None or path[index, None] <= most


@given(st.permutations(range(1, 9)))
def test_the_first_of_branches_of_one_price_counts(order: list[int]) -> None:
    """Figures do not hang on the order in which Python goes through a set."""
    branches = tuple(Runs((((subgraph, None), 1),)) for subgraph in order)
    found = Runs((), ((branches, 3),))
    for pick in (min, max):
        assert found.path(lambda part: 1.0, pick) == {(order[0], None): 3}
        assert list(found.path(lambda part: part[0], pick)) == [(pick(order), None)]


def test_then_comes_before_else() -> None:
    builder = ModelBuilder("m")
    condition = builder.input((1,), "bool")
    branches = _branches(builder, condition)
    ((alternatives, _),) = execution(builder.graph()).each.choices
    assert [each.parts for each in alternatives] == [
        (((branch.index, None), 1),) for branch in branches
    ]
