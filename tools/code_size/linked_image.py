"""Takes a linked program apart: what of it lies in flash and in RAM, and which piece takes what.

A section stays if something that stays refers to it, so what a set of operators links is the union
of what each of them links. Strings count one by one: the linker merges equal ones across sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from predictor.errors import EmulationError
from predictor.operators.sizes import align_up

SECTION_ALIGNMENT_BYTES = 4
_FLASH, _RAM = {".text", ".ARM.exidx", ".data"}, {".data", ".bss"}
_ARCHIVE_MAGIC = b"!<arch>\n"
_MEMBER_HEADER_BYTES = 60
Piece = tuple[str, ...]
"""Section and object file, or a merged constant: its kind and content."""


@dataclass(frozen=True)
class Image:
    """What one link kept: bytes in flash and RAM, in all and by piece."""

    flash_bytes: int
    ram_bytes: int
    flash_pieces: dict[Piece, int]
    ram_pieces: dict[Piece, int]


def pieces(map_file: Path, folder: Path) -> tuple[dict[Piece, int], dict[Piece, int]]:
    """Pieces in flash and in RAM, from the linker's map; ``folder`` is where it ran."""
    flash_pieces: dict[Piece, int] = {}
    ram_pieces: dict[Piece, int] = {}
    opened = cache(_object_files)
    for output, name, size, origin in _map_sections(map_file.read_text()):
        if output not in _FLASH | _RAM:
            continue
        objects = opened(str(folder / origin))
        sections = (section for file in objects for section in file.iter_sections())
        section = next((item for item in sections if item.name == name), None)
        if section is None:
            raise EmulationError(f"{origin} has no section {name}, which {map_file} names")
        if output in _RAM:
            ram_pieces[_piece(section, origin)] = size
        if output in _FLASH:
            if section["sh_flags"] & SH_FLAGS.SHF_MERGE:
                flash_pieces |= _merged_constants(section)
            else:
                flash_pieces[_piece(section, origin)] = align_up(size, SECTION_ALIGNMENT_BYTES)
    return flash_pieces, ram_pieces


def _map_sections(text: str) -> Iterable[tuple[str, str, int, str]]:
    """(output section, input section, bytes, object file) of a linker map."""
    text = text.split("Linker script and memory map", 1)[1]
    output = ""
    for line in re.sub(r"\n( \.\S+)\n +0x", r"\n\1 0x", text).splitlines():
        if found := re.match(r"(\.\S+)", line):
            output = found[1]
        elif found := re.match(r" (\.\S+) +0x[0-9a-f]+ +0x([0-9a-f]+) (?!linker stubs)(.*)", line):
            yield output, found[1], int(found[2], 16), found[3]


def _object_files(origin: str) -> list[ELFFile]:
    """An object file, or the members of one name in an archive: ``library.a(member.o)``."""
    archive = re.fullmatch(r"(.*)\((.*)\)", origin)
    if archive is None:
        return [ELFFile(BytesIO(Path(origin).read_bytes()))]
    found = _members(archive[1]).get(archive[2], [])
    return [ELFFile(BytesIO(content)) for content in found]


@cache
def _members(archive: str) -> dict[str, list[bytes]]:
    """Members of an archive in the format of GNU ar, by name; several may have the same."""
    content = Path(archive).read_bytes()
    members: dict[str, list[bytes]] = {}
    long_names, position = b"", len(_ARCHIVE_MAGIC)
    while position < len(content):
        header = content[position : position + _MEMBER_HEADER_BYTES]
        name, size = header[:16].decode().rstrip(), int(header[48:58])
        start = position + _MEMBER_HEADER_BYTES
        data = content[start : start + size]
        position = start + align_up(size, 2)
        if name == "//":
            long_names = data
        elif re.fullmatch(r"/\d+", name):
            name = long_names[int(name[1:]) :].split(b"/\n", 1)[0].decode()
        members.setdefault(name.removesuffix("/"), []).append(data)
    return members


def _piece(section: Section, origin: str) -> Piece:
    """Of a section in a group, such as an inline function, one is linked whatever file holds it."""
    shared = section["sh_flags"] & SH_FLAGS.SHF_GROUP
    return (section.name,) if shared else (section.name, origin)


def _merged_constants(section: Section) -> dict[Piece, int]:
    """Strings or constants of a section that the linker merges with equal ones."""
    size, alignment = section["sh_entsize"], max(section["sh_addralign"], 1)
    data = section.data()
    if section["sh_flags"] & SH_FLAGS.SHF_STRINGS:
        items = [item + b"\0" for item in data.split(b"\0") if item]
    else:
        items = [data[start : start + size] for start in range(0, len(data), size)]
    return {
        ("merged", str(alignment), item.hex()): align_up(len(item), alignment) for item in items
    }
