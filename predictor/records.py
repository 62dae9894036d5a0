"""Dataclasses that are quick to define.

``dataclasses`` compiles six functions for each frozen class, which takes a quarter of the time of
a command that predicts. :func:`dataclass` compiles one, ``__init__``; the others are the same for
all classes. What it makes is a dataclass to ``fields``, ``replace`` and ``asdict``, and to type
checkers. Modules that each command imports take it from here.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True, slots=False):
        """As :func:`dataclasses.dataclass` with these options, positional fields without
        ``InitVar``."""

        def made(cls):
            return _with_methods(
                dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=slots),
                frozen,
                eq,
            )

        return made if cls is None else made(cls)


def _with_methods(cls: Any, frozen: bool, eq: bool) -> Any:
    fields = dataclasses.fields(cls)
    methods = {"__init__": _init(cls, fields, frozen), "__repr__": _repr}
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        methods |= {"__getstate__": _state, "__setstate__": _set_state}
    if eq:
        compared = tuple(field.name for field in fields if field.compare)
        methods |= _comparisons(compared)
        if not frozen:
            methods["__hash__"] = None
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    return cls


def _init(cls: Any, fields: tuple[dataclasses.Field[Any], ...], frozen: bool) -> Any:
    """``__init__``, with a parameter for each field."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_absent": dataclasses.MISSING}
    parameters, lines = [], []
    for field in fields:
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _absent else {name}"
            parameters.append(f"{name}=_absent")
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        if not frozen:
            lines.append(f"self.{name} = {value}")
        elif isinstance(slot := getattr(cls, name, None), MemberDescriptorType):
            names[f"_set_{name}"] = slot.__set__  # half the time of object.__setattr__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines) or "pass"
    exec(f"def __init__(self, {', '.join(parameters)}):\n {body}", names)
    method = names["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"
    method.__annotations__ = {field.name: field.type for field in fields}
    return method


def _comparisons(names: tuple[str, ...]) -> dict[str, Any]:
    """``__eq__`` and ``__hash__`` by these fields."""
    values: Any = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def digest(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": digest}


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in _shown(self))
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _shown(self: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(self) if field.repr]


def _refuse(self: Any, name: str, *value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> dict[str, Any]:
    """What pickles hold: all fields, as nothing can be set from outside."""
    return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def _set_state(self: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        object.__setattr__(self, name, value)
