"""The reader of TOML files: whatever they hold, a value of the right type or one clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import toml
from predictor.boards.board import Board, parse_board, shipped_boards
from predictor.errors import BoardError, UsageError
from predictor.toml import Table

FOLDER = Path(__file__).parents[2] / "predictor" / "boards"
BOARDS = [toml.loads((FOLDER / f"{board.name}.toml").read_text()) for board in shipped_boards()]

ANYTHING = st.recursive(
    st.booleans()
    | st.integers()
    | st.sampled_from([1 << 63, -(1 << 63), 10**400, -(10**4000)])
    | st.floats()
    | st.text()
    | st.dates()
    | st.sampled_from(["../x", 'x")', "\x1b]0;t\x07", "\u202e", "x" * 100_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in a table, tables and arrays themselves included."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


def _tried(call: Callable[[], Any]) -> Any:
    """What a call returns, or the error of this package that it raises."""
    try:
        return call()
    except UsageError as error:
        return error


def _is_clear(error: UsageError) -> bool:
    return str(error).isprintable() and len(str(error)) < 2000


@given(st.data())
def test_a_changed_board_is_a_board_or_a_clear_error(data: st.DataObject) -> None:
    values = data.draw(st.sampled_from(BOARDS))
    place = data.draw(st.sampled_from(_places(values)[1:]))
    changed = _replaced(values, place, data.draw(ANYTHING))
    found = _tried(lambda: parse_board(changed, "mine.toml"))
    if isinstance(found, Board):
        assert found.title.isprintable()
        hash(found)
    else:
        assert isinstance(found, BoardError)
        assert _is_clear(found)


@given(st.data(), st.text(min_size=1))
def test_no_unknown_key_passes(data: st.DataObject, key: str) -> None:
    values = data.draw(st.sampled_from(BOARDS))
    tables = [place for place in _places(values) if isinstance(_at(values, place), dict)]
    place = data.draw(st.sampled_from([place for place in tables if place != ("sources",)]))
    table = _at(values, place)
    if key not in table:
        with pytest.raises(BoardError, match="unknown key") as error:
            parse_board(_replaced(values, place, {**table, key: 1}), "mine.toml")
        assert _is_clear(error.value)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(st.binary() | st.text().map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    found = _tried(lambda: toml.read_file(path, lambda table: table.allow_others()))
    assert found is None or "not valid TOML" in str(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = " + "[" * 10_000, "nested too deep"),
        ("x = " + "9" * 5_000, "a number of too many digits"),
        ("x = 0x" + "f" * 20_000, "x must be a whole number from 0 on, not a number of 80000 bits"),
        ("# " + "x" * toml.MOST_BYTES, "larger than 1,048,576 bytes"),
        ("x = 1979-05-27", "x must be a whole number"),
        ("x = true", "x must be a whole number from 0 on, not True"),
        ("y = 1", "x is missing"),
        ("x = 1\n'' = 2", "unknown key '': known: x"),
        ("x = 1\n'\\u001b[31m' = 2", "unknown key"),
    ],
)
def test_hostile_files_end_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as error:
        toml.read_file(path, lambda table: table.whole("x"))
    assert message in str(error.value)
    assert _is_clear(error.value)


@pytest.mark.parametrize("path", ["missing.toml", "x\0y", "x" * 5000, "."])
def test_files_that_cannot_be_opened(path: str) -> None:
    with pytest.raises(UsageError, match=r"no such file|cannot read"):
        toml.read_file(Path(path), lambda table: None)


ASKED: dict[str, tuple[Callable[[Table], Any], Callable[[Any], bool]]] = {
    "name": (lambda table: table.name("x"), lambda found: "/" not in found and found[0] != "."),
    "text": (lambda table: table.text("x"), str.isprintable),
    "whole": (lambda table: table.whole("x", -5, 5), lambda found: found in range(-5, 6)),
    "number": (lambda table: table.number("x", -5, 5), lambda found: -5 <= found <= 5),
    "flag": (lambda table: table.flag("x"), lambda found: found in (True, False)),
    "wholes": (lambda table: table.wholes("x"), lambda found: all(n >= 0 for n in found)),
    "numbers": (lambda table: table.numbers("x", 0, 1), lambda found: all(n <= 1 for n in found)),
    "names": (lambda table: table.names("x"), lambda found: all(name for name in found)),
    "choice": (lambda table: table.choice("x", ("a", "b")), lambda found: found in ("a", "b")),
    "table": (lambda table: table.read("x", Table.allow_others), lambda found: found is None),
    "tables": (lambda table: table.read_each("x", Table.allow_others), lambda found: True),
}


@pytest.mark.parametrize("form", ASKED)
@given(value=ANYTHING)
def test_values_are_as_they_were_asked_for(form: str, value: Any) -> None:
    ask, is_right = ASKED[form]
    found = _tried(lambda: toml.parse({"x": value}, "x.toml", ask))
    assert _is_clear(found) if isinstance(found, UsageError) else is_right(found)
