"""Devices of a CMSIS-Pack: core, clock and memories, as its description (``.pdsc``) tells them.

Open-CMSIS-Pack specification, /package/devices level: what a family says holds for its subfamilies,
devices and variants unless they say otherwise.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from predictor.errors import BoardError
from predictor.words import meant

_MOST_BYTES = 32 << 20
"""Of a description; the largest of vendors have a third of it."""
_LEVELS = ("subFamily", "device", "variant")
_NAMES = ("Dvariant", "Dname")
_FPUS = {"SP_FPU": "sp-d16", "DP_FPU": "d16", "1": "sp-d16", "NO_FPU": "none", "0": "none"}
_MOST_LISTED = 6


@dataclass(frozen=True, slots=True)
class PackMemory:
    """A memory: ``kind`` is "flash" or "sram"; all figures as the pack writes them."""

    name: str
    kind: str
    start: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PackDevice:
    """A device; empty or None where the pack does not say."""

    name: str
    core: str
    fpu: str
    clock_hz: int | None
    memories: tuple[PackMemory, ...]


def read_device(path: Path, name: str) -> PackDevice:
    """A device of a pack.

    Raises:
        BoardError: no pack, no such device, or one with several cores.
    """
    root = _description(path)
    found = dict(_devices(root))
    chain = found.get(name.upper())
    if chain is None:
        hint = meant(name.upper(), found)
        listed = ", ".join(sorted(found)[:_MOST_LISTED])
        raise BoardError(f"{path} has no device {name!r}: {hint}it has {listed}, ...")
    processor: dict[str, str] = {}
    memories: dict[str, Mapping[str, str]] = {}
    cores = set()
    for level in chain:
        for item in level.findall("processor"):
            cores.add(item.get("Pname", ""))
            processor |= item.attrib
        for item in level.findall("memory"):
            memories[item.get("name") or item.get("id") or ""] = item.attrib
    if len(cores - {""}) > 1:
        raise BoardError(f"{name} has several cores: say yourself what one of them has")
    clock = processor.get("Dclock", "")
    return PackDevice(
        name=name.upper(),
        core=processor.get("Dcore", "").lower().replace("+", "plus"),
        fpu=_FPUS.get(processor.get("Dfpu", ""), ""),
        clock_hz=_whole(clock, path) if clock else None,
        memories=tuple(_memory(key, item, path) for key, item in memories.items() if key),
    )


def _description(path: Path) -> ElementTree.Element:
    try:
        with zipfile.ZipFile(path) as pack:
            names = [item for item in pack.namelist() if item.lower().endswith(".pdsc")]
            if len(names) != 1:
                raise BoardError(f"{path} is no CMSIS-Pack: it holds {len(names)} descriptions")
            with pack.open(names[0]) as file:
                content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BoardError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise BoardError(f"{path} is no CMSIS-Pack: {error}") from error
    if len(content) > _MOST_BYTES:
        raise BoardError(f"the description in {path} has more than {_MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
        # Entities could grow without bound.
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise BoardError(f"the description in {path} declares entities, which no pack does")
        return ElementTree.fromstring(text)
    except (UnicodeDecodeError, ValueError, ElementTree.ParseError) as error:
        raise BoardError(f"the description in {path} cannot be read: {error}") from error


def _devices(root: ElementTree.Element) -> Iterator[tuple[str, tuple[ElementTree.Element, ...]]]:
    """Devices and variants by name in capitals, each with the elements that describe it."""
    pending: list[tuple[ElementTree.Element, ...]] = [
        (item,) for item in root.findall("devices/family")
    ]
    while pending:
        chain = pending.pop()
        name = next((chain[-1].get(key) for key in _NAMES if chain[-1].get(key)), None)
        if name is not None:
            yield name.upper(), chain
        for level in _LEVELS:
            pending += [(*chain, item) for item in chain[-1].findall(level)]


def _memory(key: str, item: Mapping[str, str], path: Path) -> PackMemory:
    access = item.get("access") or ("rx" if key.upper().startswith("IROM") else "rwx")
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in key).lower()
    return PackMemory(
        name=name,
        kind="sram" if "w" in access else "flash",
        start=hex(_whole(item.get("start", ""), path)),
        size_bytes=_whole(item.get("size", ""), path),
    )


def _whole(text: str, path: Path) -> int:
    digits = text.strip()[:20]
    try:
        return int(digits, 16 if digits.lower().startswith("0x") else 10)
    except ValueError:
        raise BoardError(f"{path}: {digits!r} is no number") from None
