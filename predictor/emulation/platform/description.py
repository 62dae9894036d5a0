"""Platforms: what the entries of a ``.repl`` file add up to.

Entries are merged as Renode merges them: an entry with a type creates, one without updates, later
ones win, ``using`` files come first. The result cannot change any more and is what an emulator
builds its machine from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from predictor.emulation.platform.repl import parse_description
from predictor.emulation.platform.repl_syntax import (
    Assignment,
    Attribute,
    Commands,
    Entry,
    Interrupt,
    NewObject,
    Range,
    Reference,
    RegistrationPoint,
    Value,
)
from predictor.errors import PlatformError
from predictor.records import dataclass

SYSTEM_BUS = "sysbus"
_NAMESPACE = "Antmicro.Renode.Peripherals."
_MAPPED_MEMORY = "Memory.MappedMemory"
_CPU_PREFIX = "CPU."


@dataclass(frozen=True, slots=True)
class Memory:
    """Plain memory at one address; a memory registered at two addresses appears twice."""

    name: str
    base: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.base + self.size_bytes


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a peripheral stands: ``size_bytes`` is None where its class fixes the size."""

    register: str
    address: int | None
    size_bytes: int | None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Peripheral:
    """An entry after all updates. ``where`` is the file and line that created it."""

    name: str
    type: str
    registrations: tuple[Registration, ...]
    attributes: Mapping[str, Value]
    interrupts: tuple[Interrupt, ...]
    commands: tuple[Commands, ...]
    where: str

    def number(self, attribute: str) -> int:
        """A whole number among the attributes.

        Raises:
            PlatformError: the attribute is missing or something else.
        """
        value = self.attributes.get(attribute)
        if not isinstance(value, int) or isinstance(value, bool):
            found = "missing" if value is None else f"{value!r}, not a whole number"
            raise PlatformError(f"{self.where}: {attribute} of {self.name} is {found}")
        return value


@dataclass(frozen=True, slots=True)
class Platform:
    """What a platform file describes: memories, lowest address first, and peripherals by name.

    Attributes:
        read_only: names of memories that the core does not write: flash.
        text: all of it, where it is no file yet.
    """

    path: Path
    memories: tuple[Memory, ...]
    peripherals: Mapping[str, Peripheral]
    read_only: frozenset[str] = frozenset()
    text: str | None = None

    @property
    def cpu(self) -> Peripheral:
        return next(item for item in self.peripherals.values() if item.type.startswith(_CPU_PREFIX))

    def of_type(self, type_name: str) -> tuple[Peripheral, ...]:
        return tuple(item for item in self.peripherals.values() if item.type == type_name)


def read_platform(path: str | os.PathLike[str]) -> Platform:
    """Reads a platform file and those that it uses.

    Raises:
        PlatformError: a file is unreadable or malformed, or the entries do not fit together.
    """
    return _platform(Path(path), _entries(Path(path), ()))


def parse_platform(text: str, name: str) -> Platform:
    """A platform from the text of a file that uses no others.

    Args:
        name: stands for the file in messages.

    Raises:
        PlatformError: as :func:`read_platform`.
    """
    entries = parse_description(text, name).entries
    platform = _platform(Path(name), ((Path(name), entry) for entry in entries))
    return replace(platform, text=text)


def _platform(path: Path, entries: Iterable[tuple[Path, Entry]]) -> Platform:
    merged: dict[str, Peripheral] = {}
    for source, entry in entries:
        where = f"{source}:{entry.line}"
        if entry.type is None:
            merged[entry.name] = _updated(merged, entry, where)
        elif entry.name in merged:
            raise PlatformError(
                f"{where}: {entry.name} exists already ({merged[entry.name].where}); "
                "an entry without a type updates it"
            )
        else:
            merged[entry.name] = _created(entry, where)
    _check_references(merged)
    platform = Platform(
        path, _memories(merged), MappingProxyType(merged), frozenset(_flash_names(merged))
    )
    _check_single_cpu(platform)
    return platform


def _entries(path: Path, using: tuple[Path, ...]) -> Iterator[tuple[Path, Entry]]:
    """All entries in the order in which they count, those of used files first."""
    resolved = path.resolve()
    if resolved in using:
        raise PlatformError(f"{path} uses itself: " + " -> ".join(map(str, (*using, path))))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"cannot read platform file {path}: {error}") from error
    description = parse_description(text, str(path))
    for name, line in description.usings:
        used = Path(name) if Path(name).is_absolute() else path.parent / name
        if not used.is_file():
            raise PlatformError(f"{path}:{line}: used file {used} does not exist")
        yield from _entries(used, (*using, resolved))
    for entry in description.entries:
        yield path, entry


def _created(entry: Entry, where: str) -> Peripheral:
    assert entry.type is not None  # the caller looked
    empty = Peripheral(
        name=entry.name,
        type=entry.type.removeprefix(_NAMESPACE),
        registrations=(),
        attributes=MappingProxyType({}),
        interrupts=(),
        commands=(),
        where=where,
    )
    return _with_entry(empty, entry, where)


def _updated(merged: Mapping[str, Peripheral], entry: Entry, where: str) -> Peripheral:
    if entry.name == SYSTEM_BUS and entry.name not in merged:
        bus = Entry(entry.name, "Bus.SystemBus", (), (), None, False, entry.line)
        return _with_entry(_created(bus, where), entry, where)
    if entry.name not in merged:
        raise PlatformError(f"{where}: {entry.name} has no type, and no entry before created it")
    return _with_entry(merged[entry.name], entry, where)


def _with_entry(known: Peripheral, entry: Entry, where: str) -> Peripheral:
    source = where.rpartition(":")[0]
    _check_duplicates(entry.attributes, entry.name, source)
    attributes = {**known.attributes}
    commands = list(known.commands)
    wires = [item for item in entry.attributes if isinstance(item, Interrupt)]
    rewired = {wire.source for wire in wires}
    interrupts = [wire for wire in known.interrupts if wire.source not in rewired]
    interrupts += [wire for wire in wires if wire.receiver is not None]
    for attribute in entry.attributes:
        if isinstance(attribute, Assignment):
            attributes[attribute.name] = attribute.value
        elif isinstance(attribute, Commands):
            if not attribute.adds:
                commands = [item for item in commands if item.section != attribute.section]
            commands.append(attribute)
    registrations = known.registrations
    if entry.registrations is not None:
        registrations = tuple(_registration(point, where) for point in entry.registrations)
    return replace(
        known,
        registrations=registrations,
        attributes=MappingProxyType(attributes),
        interrupts=tuple(interrupts),
        commands=tuple(commands),
    )


def _check_duplicates(attributes: tuple[Attribute, ...], owner: str, source: str) -> None:
    seen: dict[str, int] = {}
    for attribute in attributes:
        if isinstance(attribute, Interrupt):
            continue
        name = attribute.section if isinstance(attribute, Commands) else attribute.name
        if name in seen:
            raise PlatformError(
                f"{source}:{attribute.line}: {name} of {owner} is already given in line "
                f"{seen[name]}"
            )
        seen[name] = attribute.line


def _registration(item: RegistrationPoint, where: str) -> Registration:
    point = item.point
    if point is None:
        return Registration(item.register, None, None)
    if isinstance(point, Range):
        return Registration(item.register, point.begin, point.size)
    if isinstance(point, int) and not isinstance(point, bool):
        return Registration(item.register, point, None)
    if isinstance(point, NewObject):
        return _object_registration(item.register, point, where)
    raise PlatformError(f"{where}: {point!r} is not a registration point that is known")


def _object_registration(register: str, point: NewObject, where: str) -> Registration:
    """``new Bus.BusMultiRegistration { address: ..; size: ..; region: ".." }`` and its kin."""
    known = {"address", "size", "region", "offset", "cpu"}
    values = {item.name: item.value for item in point.attributes if isinstance(item, Assignment)}
    if len(values) != len(point.attributes) or not values.keys() <= known:
        raise PlatformError(f"{where}: the registration point new {point.type} holds unknown keys")
    address, size = values.get("address"), values.get("size")
    region = values.get("region")
    if not isinstance(address, int) or not isinstance(size, int | None):
        raise PlatformError(f"{where}: address and size of new {point.type} must be numbers")
    if not isinstance(region, str | None):
        raise PlatformError(f"{where}: region of new {point.type} must be a string")
    return Registration(register, address, size, region)


def _check_references(merged: Mapping[str, Peripheral]) -> None:
    names = {*merged, SYSTEM_BUS}
    for item in merged.values():
        used = {registration.register for registration in item.registrations}
        used |= {wire.receiver for wire in item.interrupts if wire.receiver is not None}
        used |= {value.name for value in item.attributes.values() if isinstance(value, Reference)}
        for name in sorted(used - names):
            raise PlatformError(f"{item.where}: {item.name} refers to {name}, which does not exist")


def _memories(merged: Mapping[str, Peripheral]) -> tuple[Memory, ...]:
    memories: list[Memory] = []
    for item in merged.values():
        if item.type != _MAPPED_MEMORY:
            continue
        size = item.number("size")
        for registration in item.registrations:
            if registration.address is None or registration.size_bytes not in (None, size):
                raise PlatformError(f"{item.where}: {item.name} needs an address and its own size")
            memories.append(Memory(item.name, registration.address, size))
    memories.sort(key=lambda memory: memory.base)
    for low, high in pairwise(memories):
        if low.end > high.base:
            raise PlatformError(f"{merged[high.name].where}: {high.name} overlaps {low.name}")
    return tuple(memories)


def _flash_names(merged: Mapping[str, Peripheral]) -> Iterator[str]:
    """Memories that a flash controller owns."""
    for item in merged.values():
        flash = item.attributes.get("flash")
        if isinstance(flash, Reference):
            yield flash.name


def _check_single_cpu(platform: Platform) -> None:
    cpus = [item for item in platform.peripherals.values() if item.type.startswith(_CPU_PREFIX)]
    if len(cpus) != 1:
        raise PlatformError(f"{platform.path}: {len(cpus)} CPUs; one is needed")
