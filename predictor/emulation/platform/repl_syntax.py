"""What a platform description (``.repl``) says, as Renode's grammar divides it.

The names are those of Renode's documentation of the format: an entry creates or updates a
peripheral, is registered at registration points, and holds attributes.
"""

from __future__ import annotations

from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses from ``begin`` up to, not including, ``end``."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class EnumValue:
    """An enumeration's member; ``path`` is its name as written, parts joined with dots."""

    path: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of another entry."""

    name: str


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object made in place: ``new Type { key: value }``."""

    type: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """``{ key: value; key: value }`` as a value."""

    items: tuple[tuple[Value, Value], ...]


Value = (
    int
    | float
    | str
    | bool
    | None
    | Range
    | EnumValue
    | Reference
    | NewObject
    | Dictionary
    | tuple["Value", ...]
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name: value``: a constructor parameter or property."""

    name: str
    value: Value
    line: int


@dataclass(frozen=True, slots=True)
class Interrupt:
    """One wire: output ``source`` (an index, a name or the only one) to a receiver's input.

    ``receiver`` is None where the output is disconnected (``-> none``).
    """

    source: int | str | None
    receiver: str | None
    local_index: int | None
    input: int
    line: int


@dataclass(frozen=True, slots=True)
class Commands:
    """An ``init:``, ``preinit:`` or ``reset:`` block of monitor commands."""

    section: str
    adds: bool
    statements: tuple[str, ...]
    line: int


Attribute = Assignment | Interrupt | Commands


@dataclass(frozen=True, slots=True)
class RegistrationPoint:
    """``@ register point``: where an entry is registered; ``point`` None means no address."""

    register: str
    point: Value


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``type`` None marks an update; ``registrations`` None says nothing about them."""

    name: str
    type: str | None
    registrations: tuple[RegistrationPoint, ...] | None
    attributes: tuple[Attribute, ...]
    alias: str | None
    is_local: bool
    line: int


@dataclass(frozen=True, slots=True)
class Description:
    """A parsed file: the files it uses (with the line that says so) and its entries."""

    usings: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]
