"""Records behave as the frozen dataclasses whose place they take."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from predictor import records


class _Fields:
    name: str
    sizes: tuple[int, ...] = (1, 2)
    loaded: list[int] = dataclasses.field(default_factory=list, compare=False)
    content: bytes = dataclasses.field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")


def _classes(**options: bool) -> tuple[Any, Any]:
    """The standard dataclass and ours, of the same fields."""
    plain, own = (type("Item", (), {**_Fields.__dict__, "__qualname__": "Item"}) for _ in range(2))
    return dataclasses.dataclass(**options)(plain), records.dataclass(**options)(own)


@records.dataclass(frozen=True, slots=True)
class Slotted:
    """At the top of a module, where pickle finds it."""

    x: int
    y: tuple[int, ...] = ()


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("slots", [True, False])
def test_as_the_standard_ones(frozen: bool, slots: bool) -> None:
    standard, own = _classes(frozen=frozen, slots=slots)
    made = [
        (cls("a"), cls("a", (1, 2), [3]), cls("b"), cls(name="a", content=b"c"))
        for cls in (standard, own)
    ]
    assert [repr(item) for item in made[0]] == [repr(item) for item in made[1]]
    equal = [[[one == other for one in items] for other in items] for items in made]
    assert equal[0] == equal[1]
    assert list(map(dataclasses.asdict, made[0])) == list(map(dataclasses.asdict, made[1]))
    assert inspect.signature(own).parameters.keys() == inspect.signature(standard).parameters.keys()
    assert own("a").loaded is not own("a").loaded
    assert own("a") != standard("a")
    for cls in (standard, own):
        with pytest.raises(ValueError, match="no name"):
            cls("")
        with pytest.raises(TypeError):
            cls()
        assert (cls.__hash__ is None) is not frozen


def test_frozen() -> None:
    _, own = _classes(frozen=True)
    item = own("a")
    assert hash(item) == hash(own("a", loaded=[5]))
    for change in (lambda: setattr(item, "name", "b"), lambda: delattr(item, "name")):
        with pytest.raises(dataclasses.FrozenInstanceError, match="name"):
            change()
    assert dataclasses.replace(item, name="b") == own("b")


def test_identity() -> None:
    _, own = _classes(frozen=True, eq=False)
    assert own("a") != own("a")
    assert len({own("a"), own("a")}) == 2


def test_copies() -> None:
    item = Slotted(1, (2,))
    assert not hasattr(item, "__dict__")
    assert copy.copy(item) == copy.deepcopy(item) == pickle.loads(pickle.dumps(item)) == item
    assert hash(item) == hash(Slotted(1, (2,)))
