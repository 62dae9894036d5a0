"""Small values against NumPy, which computes them as LiteRT does."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.model.builder import ModelBuilder
from predictor.model.graph import Operator, TensorType
from predictor.semantics.values import Value, can_evaluate, constant, evaluate

INT32 = st.integers(-(2**31), 2**31 - 1)
PAIRWISE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
}
COMPARISONS = {"EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"}


def _value(array: np.ndarray, type: TensorType) -> Value:
    return Value(type, array.shape, tuple(array.ravel().tolist()))


def _evaluated(
    name: str, arrays: list[np.ndarray], type: TensorType, shape: tuple[int, ...], **options: int
) -> Value | None:
    """What an operator gives for constants of int32, or float32 arrays."""
    builder = ModelBuilder("m")
    (output,) = builder.operator(
        name, [builder.constant(array) for array in arrays], [(shape, type)], options
    )
    builder.output(output)
    main = builder.graph().main
    op = main.operators[0]
    assert can_evaluate(op, main)
    return evaluate(op, [constant(main.tensors[index]) for index in op.inputs], output.tensor)


@given(st.sampled_from(sorted(PAIRWISE)), st.lists(INT32, min_size=1, max_size=5), INT32)
def test_pairs_of_whole_numbers(name: str, left: list[int], right: int) -> None:
    first, second = np.array(left, np.int32), np.array([right], np.int32)
    with np.errstate(over="ignore"):
        expected = PAIRWISE[name](first, second)
    kind = TensorType.BOOL if name in COMPARISONS else TensorType.INT32
    found = _evaluated(name, [first, second], kind, first.shape)
    assert found == _value(expected, kind)


@given(
    st.sampled_from(["ADD", "SUB", "MUL", "LESS"]),
    st.floats(-1e6, 1e6, width=32),
    st.floats(-1e6, 1e6, width=32),
)
def test_floats_are_single(name: str, left: float, right: float) -> None:
    first, second = np.array([left], np.float32), np.array([right], np.float32)
    kind = TensorType.BOOL if name == "LESS" else TensorType.FLOAT32
    expected = PAIRWISE[name](first, second)
    assert _evaluated(name, [first, second], kind, (1,)) == _value(expected, kind)


@given(
    st.lists(INT32, min_size=1, max_size=8),
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.sampled_from([1, 2, -1]),
)
def test_slices_of_vectors(items: list[int], begin: int, end: int, step: int) -> None:
    array = np.array(items, np.int32)
    expected = array[begin:end:step]
    if not expected.size:
        return
    bounds = [np.array([bound], np.int32) for bound in (begin, end, step)]
    found = _evaluated("STRIDED_SLICE", [array, *bounds], TensorType.INT32, expected.shape)
    assert found == _value(expected, TensorType.INT32)


@pytest.mark.parametrize(
    ("name", "arrays", "shape", "expected"),
    [
        ("NEG", [[3, -4]], (2,), [-3, 4]),
        ("ABS", [[3, -4]], (2,), [3, 4]),
        ("FLOOR_DIV", [[7, -7], [2]], (2,), [3, -4]),
        ("FLOOR_MOD", [[7, -7], [3]], (2,), [1, 2]),
        ("PACK", [[1], [2]], (2, 1), [1, 2]),
        ("CONCATENATION", [[1, 2], [3]], (3,), [1, 2, 3]),
        ("GATHER", [[5, 6, 7], [2, 0]], (2,), [7, 5]),
        ("SLICE", [[5, 6, 7], [1], [-1]], (2,), [6, 7]),
        ("RANGE", [[2], [9], [3]], (3,), [2, 5, 8]),
        ("FILL", [[3], [7]], (3,), [7, 7, 7]),
        ("ZEROS_LIKE", [[3, 4]], (2,), [0, 0]),
        ("SUM", [[3, 4], [0]], (1,), [7]),
        ("REDUCE_PROD", [[3, 4], [0]], (1,), [12]),
        ("REDUCE_MAX", [[3, 4], [-1]], (1,), [4]),
        ("RESHAPE", [[3, 4], [2, 1]], (2, 1), [3, 4]),
    ],
)
def test_others(
    name: str, arrays: list[list[int]], shape: tuple[int, ...], expected: list[int]
) -> None:
    found = _evaluated(name, [np.array(a, np.int32) for a in arrays], TensorType.INT32, shape)
    assert found == Value(TensorType.INT32, shape, tuple(expected))


def test_what_is_not_certain_is_unknown() -> None:
    assert (
        _evaluated(
            "DIV", [np.array([1], np.int32), np.array([0], np.int32)], TensorType.INT32, (1,)
        )
        is None
    )
    assert (
        _evaluated(
            "ADD",
            [np.array([[1, 2]], np.int32), np.array([[1], [2]], np.int32)],
            TensorType.INT32,
            (2, 2),
        )
        is None
    )
    # The file's shape has another number of elements than the operator gives.
    assert (
        _evaluated(
            "ADD", [np.array([1, 2], np.int32), np.array([1], np.int32)], TensorType.INT32, (3,)
        )
        is None
    )
    builder = ModelBuilder("m")
    x = builder.input((2,), "int8")
    builder.output(builder.add(x, x))
    main = builder.graph().main
    assert not can_evaluate(main.operators[0], main)  # quantised
    assert constant(main.tensors[0]) is None
    op = Operator(0, "ADD", (0, 1), (2,))
    assert evaluate(op, [None, None], main.tensors[0]) is None
