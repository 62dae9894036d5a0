"""What Renode's classes take in platform files, and what of a platform Renode would refuse.

Mirrors the checks of Renode's ``CreationDriver`` for the classes of ``renode_classes.toml``, whose
facts are read from Renode's sources. Faults name Renode's number of the error, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.emulation.platform.description import SYSTEM_BUS, Peripheral, Platform, Registration
from predictor.emulation.platform.repl_syntax import Reference, Value
from predictor.errors import PlatformError
from predictor.records import dataclass

_FILE = Path(__file__).with_suffix(".toml")
_INTEGERS = {
    "byte": range(1 << 8),
    "int": range(-1 << 31, 1 << 31),
    "uint": range(1 << 32),
    "long": range(-1 << 63, 1 << 63),
    "ulong": range(1 << 64),
}
_SIMPLE_TYPES: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,),
    "string": (str,),
    "double": (int, float),
    "list": (tuple,),
}


@dataclass(frozen=True, slots=True)
class RenodeClass:
    """One class; the fields are those of ``renode_classes.toml``, which describes them."""

    name: str
    file: str
    on: tuple[str, ...]
    parameters: Mapping[str, list[Any]]
    properties: Mapping[str, str]
    values: Mapping[str, list[Any]]
    gpios: tuple[str, ...]
    default_gpio: str | None
    numbered: int
    inputs: int
    size_bytes: int | str | None
    page_bytes: int

    def size_of(self, item: Peripheral) -> int | None:
        """Bytes that it takes at a plain address; None where the class has no size."""
        if not isinstance(self.size_bytes, str):
            return self.size_bytes
        size = item.attributes.get(self.size_bytes)
        return size if isinstance(size, int) else None


@cache
def renode_classes() -> Mapping[str, RenodeClass]:
    """All classes of the file, by name without the namespace of Renode's peripherals."""
    with _FILE.open("rb") as file:
        tables = toml.load(file)["classes"]
    return {name: _class(name, table) for name, table in tables.items()}


def _class(name: str, table: Mapping[str, Any]) -> RenodeClass:
    return RenodeClass(
        name=name,
        file=table["file"],
        on=tuple(table["on"]),
        parameters=table.get("parameters", {}),
        properties=table.get("properties", {}),
        values=table.get("values", {}),
        gpios=tuple(table.get("gpios", ())),
        default_gpio=table.get("default_gpio"),
        numbered=table.get("numbered", 0),
        inputs=table.get("inputs", 0),
        size_bytes=table.get("size_bytes"),
        page_bytes=table.get("page_bytes", 1),
    )


def check_classes(platform: Platform) -> None:
    """Holds each entry of a platform against its class in Renode.

    Raises:
        PlatformError: Renode would refuse the file, or firmware could not reach an entry; lists
            all faults.
    """
    faults = [fault for item in platform.peripherals.values() for fault in _faults(item, platform)]
    faults += _overlaps(platform)
    if faults:
        raise PlatformError("Renode refuses the platform: " + "; ".join(faults))


def _faults(item: Peripheral, platform: Platform) -> Iterator[str]:
    known = renode_classes().get(item.type)
    if known is None:
        names = ", ".join(sorted(renode_classes()))
        yield f"{item.where}: class {item.type} is not known (E4); known are: {names}"
        return
    yield from _attribute_faults(item, known, platform)
    yield from _interrupt_faults(item, known, platform)
    if item.name != SYSTEM_BUS:
        yield from _registration_faults(item, known, platform)


def _attribute_faults(item: Peripheral, known: RenodeClass, platform: Platform) -> Iterator[str]:
    for name, value in item.attributes.items():
        # As Renode's IsPropertyAttribute has it.
        is_property = name[:1].isupper()
        if name not in (known.properties if is_property else known.parameters):
            what = "property (E10)" if is_property else "constructor parameter (E25)"
            yield f"{item.where}: {item.type} has no {what} {name}"
            continue
        wanted = known.properties[name] if is_property else known.parameters[name][0]
        if value is not None and not _fits(value, wanted, platform):
            yield f"{item.where}: {name} of {item.name} is no {wanted} (E6): {_shown(value)}"
        elif name in known.values and value not in known.values[name]:
            choices = ", ".join(map(str, known.values[name]))
            yield f"{item.where}: {name} of {item.name} is {_shown(value)}, not one of {choices}"
    for name, parameter in known.parameters.items():
        if len(parameter) == 1 and item.attributes.get(name) is None:
            yield f"{item.where}: {item.name} lacks {name}, without which no {item.type} is (E25)"


def _fits(value: Value, wanted: str, platform: Platform) -> bool:
    if wanted in _INTEGERS:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and value in _INTEGERS[wanted]
    if wanted in _SIMPLE_TYPES:
        is_bool = isinstance(value, bool)
        return isinstance(value, _SIMPLE_TYPES[wanted]) and is_bool == (wanted == "bool")
    if not isinstance(value, Reference):
        return False
    target = platform.peripherals.get(value.name)
    return target is not None and target.type == wanted


def _shown(value: Value) -> str:
    return value.name if isinstance(value, Reference) else repr(value)


def _interrupt_faults(item: Peripheral, known: RenodeClass, platform: Platform) -> Iterator[str]:
    lines: dict[int | str | None, int] = {}
    for wire in item.interrupts:
        where = f"{item.where}: an interrupt of {item.name}"
        default = known.default_gpio or (known.gpios[0] if len(known.gpios) == 1 else None)
        source = default if wire.source is None else wire.source
        if lines.setdefault(source, wire.line) != wire.line:
            yield f"{where} is wired twice (E16): {source}"
        if source is None and not known.gpios:
            yield f"{where} is wired, but a {item.type} has none (E13)"
        elif source is None:
            yield f"{where} is ambiguous (E15); name one of {', '.join(known.gpios)}"
        elif isinstance(source, int) and not 0 <= source < known.numbered:
            yield f"{where} has number {source}, of {known.numbered} (E14)"
        elif isinstance(source, str) and source not in known.gpios:
            yield f"{where}: a {item.type} has no {source} (E13)"
        yield from _receiver_faults(where, wire.receiver, wire.input, platform)


def _receiver_faults(
    where: str, receiver: str | None, number: int, platform: Platform
) -> Iterator[str]:
    target = platform.peripherals.get(receiver or "")
    inputs = 0
    if target is not None and target.type in renode_classes():
        inputs = renode_classes()[target.type].inputs
    if inputs == 0:
        yield f"{where} goes to {receiver}, which takes none (E12)"
    elif not 0 <= number < inputs:
        yield f"{where} goes to input {number} of {receiver}, which has {inputs}"


def _registration_faults(item: Peripheral, known: RenodeClass, platform: Platform) -> Iterator[str]:
    if not item.registrations:
        yield f"{item.where}: {item.name} is registered nowhere"
    for registration in item.registrations:
        register = registration.register
        if register != SYSTEM_BUS:
            yield f"{item.where}: {register} does not take a {item.type} (E5)"
        elif "cpu" in known.on:
            if registration.address is not None:
                yield f"{item.where}: {item.name} takes no address (E21)"
        elif registration.address is None:
            yield f"{item.where}: {item.name} has no address"
        elif registration.size_bytes is None and known.size_bytes is None:
            yield (
                f"{item.where}: a {item.type} has no size of its own and needs a range (E21): "
                f"<{registration.address:#x}, +SIZE>"
            )
        elif (registration.address | _size_bytes(item, registration)) % known.page_bytes:
            yield (
                f"{item.where}: {item.name} at {registration.address:#010x} does not fill whole "
                f"pages of {known.page_bytes} bytes"
            )


def _overlaps(platform: Platform) -> Iterator[str]:
    spans = sorted(
        (registration.address, registration.address + size, item.name, item.where)
        for item in platform.peripherals.values()
        for registration in item.registrations
        if registration.address is not None and (size := _size_bytes(item, registration))
    )
    for (_, end, low, _), (base, _, high, where) in pairwise(spans):
        if base < end:
            yield f"{where}: {high} at {base:#010x} overlaps {low} (E39)"


def _size_bytes(item: Peripheral, registration: Registration) -> int:
    known = renode_classes().get(item.type)
    return registration.size_bytes or (known and known.size_of(item)) or 0
