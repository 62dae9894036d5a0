"""TOML files: read with limits, then key by key, each typed, within its range, and known.

Files come from strangers as well as from their users. What a reader hands on has been checked, so
that nothing behind it has to look again::

    board = toml.read_file(path, _board, BoardError)

    def _board(table: Table) -> Board:
        return Board(name=table.name("name"), core=table.read("core", _core))

A key that the reader did not ask for is an error, as is a table that it left unread.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from predictor.errors import UsageError
from predictor.words import meant

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, load, loads
else:  # pragma: no cover
    from tomli import TOMLDecodeError, load, loads

__all__ = ["NAME", "TOMLDecodeError", "Table", "load", "loads", "parse", "read_file", "shown"]

MOST_BYTES = 1 << 20
"""Larger files are refused: no table that people write comes near."""
MOST_WHOLE = (1 << 63) - 1
"""The largest whole number that TOML promises to hold."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""What names a thing: safe as a file's name, in any program text and on any command line."""
_MOST_TEXT = 1000
_MOST_SHOWN = 40

T = TypeVar("T")


class _Missing(Enum):
    """Stands for "no default": the key must be there."""

    MISSING = 0


MISSING: Final = _Missing.MISSING


def read_file(path: Path, reader: Callable[[Table], T], error: type[UsageError] = UsageError) -> T:
    """What ``reader`` makes of a file's table.

    Raises:
        error: the file cannot be read, is too large or no TOML, or a key is not as it should be;
            the message names the file and the key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise error(f"no such file: {path}") from None
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError as problem:  # a zero byte in the name
        raise error(f"cannot read {str(path)!r}: {problem}") from problem
    if len(content) > MOST_BYTES:
        raise error(f"{path}: larger than {MOST_BYTES:,} bytes")
    try:
        values = loads(content.decode())
    except RecursionError:
        raise error(f"{path}: not valid TOML: nested too deep") from None
    except (TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{path}: not valid TOML: {problem}") from problem
    except ValueError:  # Python's limit for whole numbers in text
        raise error(f"{path}: not valid TOML: a number of too many digits") from None
    return parse(values, str(path), reader, error)


def parse(
    values: Mapping[str, Any],
    source: str,
    reader: Callable[[Table], T],
    error: type[UsageError] = UsageError,
) -> T:
    """What ``reader`` makes of a table that came from ``source``.

    Raises:
        error: as :func:`read_file`.
    """
    return _read(Table(values, source, "", error), reader)


def _read(table: Table, reader: Callable[[Table], T]) -> T:
    result = reader(table)
    table.finish()
    return result


class Table:
    """A table whose keys are asked for one by one. All methods raise the table's error."""

    def __init__(
        self, values: Mapping[str, Any], source: str, path: str, error: type[UsageError]
    ) -> None:
        self._values = values
        self._source = source
        self._path = path
        self._error = error
        self._known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        """The keys that the file has, for tables whose keys are the user's own."""
        return iter(self._values)

    @property
    def source(self) -> str:
        """The file, as errors name it."""
        return self._source

    def allow_others(self) -> None:
        """Keys that nobody asks for are no error: the table is not this package's alone."""
        self._known.update(dict.fromkeys(self._values))

    def finish(self) -> None:
        """Raises the table's error if the file has a key that nobody has asked for."""
        for key in self._values:
            if key not in self._known:
                hint = meant(key[:_MOST_TEXT], self._known)
                known = ", ".join(self._known) or "none"
                self.fail(f"unknown key {shown(key)}: {hint}known: {known}")

    def fail(self, problem: str) -> NoReturn:
        """Raises the table's error with the place of the table."""
        place = f"{self._source}: {self._path}" if self._path else self._source
        raise self._error(f"{place}: {problem}")

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raises the table's error for one key: ``problem`` continues its name."""
        raise self._error(f"{self._source}: {self._place(key)} {problem}")

    def _place(self, key: str) -> str:
        """The path of a key from the top of the file."""
        name = key if NAME.fullmatch(key) else shown(key)
        return f"{self._path}.{name}" if self._path else name

    def any(self, key: str, default: Any = MISSING) -> Any:
        """The value as it is."""
        self._known[key] = None
        value = self._values.get(key, default)
        if value is MISSING:
            self.refuse(key, "is missing")
        return value

    def _typed(self, key: str, default: Any, is_right: Callable[[Any], object], words: str) -> Any:
        value = self.any(key, default)
        if key in self._values and not is_right(value):
            self.refuse(key, f"must be {words}, not {shown(value)}")
        return value

    def name(self, key: str, default: str | _Missing = MISSING) -> str:
        """A name of letters, digits and ``_.-``."""
        words = "a name of letters, digits, '_', '.' and '-'"
        found: str = self._typed(key, default, _is_name, words)
        return found

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names; none where the key is missing."""
        return self._list(key, (), _is_name, "a list of names of letters, digits, '_', '.' and '-'")

    def text(self, key: str, default: str | _Missing = MISSING) -> str:
        """One line of text without control characters."""
        found: str = self._typed(key, default, _is_text, "a string of printable characters")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, each as :meth:`text`, at least one."""

        def are_texts(value: Any) -> bool:
            return isinstance(value, list) and value != [] and all(map(_is_text, value))

        words = "a string, or a list of strings, of printable characters"
        return tuple(self._typed(key, MISSING, are_texts, words))

    def choice(self, key: str, choices: Sequence[str], default: str | _Missing = MISSING) -> str:
        words = f"one of {', '.join(choices)}"
        found: str = self._typed(key, default, lambda value: value in choices, words)
        return found

    def matching(self, key: str, pattern: str, words: str) -> str:
        """A string that a regular expression describes in full, and ``words`` in words."""
        form = re.compile(pattern)
        found: str = self._typed(
            key, MISSING, lambda value: isinstance(value, str) and form.fullmatch(value), words
        )
        return found

    def flag(self, key: str, default: bool | _Missing = MISSING) -> bool:
        found: bool = self._typed(
            key, default, lambda value: isinstance(value, bool), "true or false"
        )
        return found

    def whole(
        self, key: str, least: int = 0, most: int = MOST_WHOLE, default: int | _Missing = MISSING
    ) -> int:
        """A whole number from ``least`` to ``most``."""
        words = f"a whole number {_range(least, most)}"
        found: int = self._typed(key, default, _whole_within(least, most), words)
        return found

    def wholes(
        self,
        key: str,
        least: int = 0,
        most: int = MOST_WHOLE,
        default: Sequence[int] | _Missing = MISSING,
    ) -> tuple[int, ...]:
        """A list of whole numbers from ``least`` to ``most``; it may be empty."""
        words = f"a list of whole numbers {_range(least, most)}"
        return self._list(key, default, _whole_within(least, most), words)

    def number(
        self,
        key: str,
        least: float = 0.0,
        most: float = inf,
        default: float | _Missing = MISSING,
    ) -> float:
        """A finite number from ``least`` to ``most``."""
        words = f"a number {_range(least, most)}"
        return float(self._typed(key, default, _number_within(least, most), words))

    def numbers(
        self, key: str, least: float, most: float, default: Sequence[float] | _Missing = MISSING
    ) -> tuple[float, ...]:
        """A list of finite numbers from ``least`` to ``most``; it may be empty."""
        words = f"a list of numbers {_range(least, most)}"
        return tuple(map(float, self._list(key, default, _number_within(least, most), words)))

    def _list(
        self, key: str, default: Any, is_right: Callable[[Any], object], words: str
    ) -> tuple[Any, ...]:
        def are_right(value: Any) -> bool:
            return isinstance(value, list) and all(map(is_right, value))

        return tuple(self._typed(key, default, are_right, words))

    def mapping(self, key: str) -> dict[str, Any]:
        """The table under a key as it is, for another reader; empty where the key is missing."""
        found: dict[str, Any] = self._typed(
            key, {}, lambda value: isinstance(value, dict), "a table"
        )
        return found

    def read(self, key: str, reader: Callable[[Table], T]) -> T:
        """What ``reader`` makes of the table under a key."""
        value = self._typed(key, MISSING, lambda value: isinstance(value, dict), "a table")
        return _read(Table(value, self._source, self._place(key), self._error), reader)

    def read_each(self, key: str, reader: Callable[[Table], T]) -> tuple[T, ...]:
        """What ``reader`` makes of each table of an array; none where the key is missing."""
        tables = self._list(key, (), lambda value: isinstance(value, dict), "an array of tables")
        return tuple(
            _read(Table(value, self._source, f"{self._place(key)}[{index}]", self._error), reader)
            for index, value in enumerate(tables)
        )

    def converted(self, key: str, convert: Callable[[Any, str], T]) -> T:
        """What ``convert`` makes of a value and its key; the UsageError that it raises is told
        as the table's."""
        value = self.any(key)
        try:
            return convert(value, key)
        except UsageError as error:
            self.fail(str(error))

    def optional(self, key: str, method: Callable[..., T], *arguments: Any) -> T | None:
        """What one of the methods above makes of a key; None where the key is missing."""
        self._known[key] = None
        return method(key, *arguments) if key in self else None


def _whole_within(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    )


def _number_within(least: float, most: float) -> Callable[[Any], bool]:
    is_whole = _whole_within(-MOST_WHOLE, MOST_WHOLE)
    return lambda value: (
        (is_whole(value) or (isinstance(value, float) and isfinite(value)))
        and least <= value <= most
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.isprintable()


def _range(least: float, most: float) -> str:
    low, high = (f"{end:g}" if isinstance(end, float) else f"{end}" for end in (least, most))
    return f"from {low} on" if most in (inf, MOST_WHOLE) else f"from {low} to {high}"


def shown(value: Any) -> str:
    """A value in an error: one short line, whatever it holds."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) > MOST_WHOLE:
        return f"a number of {value.bit_length()} bits"
    text = repr(value[: _MOST_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _MOST_SHOWN + 2 else f"{text[:_MOST_SHOWN]}..."
