"""JSON as reports write it: that of the standard library, but for figures that are no number."""

from __future__ import annotations

import json
from math import inf, isfinite, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.report.json_report import dumps

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _has_infinity(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, float) and not isfinite(value)


@given(VALUES)
def test_as_the_standard_library_writes_it(value: Any) -> None:
    if _has_infinity(value):
        json.loads(dumps(value), parse_constant=pytest.fail)
    else:
        assert dumps(value) == json.dumps(value, indent=2)


def test_what_is_no_number_is_null() -> None:
    value = {"a": nan, "b": [inf, -inf, 1.5], "c": (1, "é\n"), "d": {}, "e": []}
    expected = {"a": None, "b": [None, None, 1.5], "c": [1, "é\n"], "d": {}, "e": []}
    assert dumps(value) == json.dumps(expected, indent=2)
