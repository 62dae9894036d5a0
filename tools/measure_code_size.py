"""Measures code sizes of TFLM of 2020: ``python -m tools.measure_code_size [--check N]``,
with the project's own kernels ``--kernels ours``.

Links the runner once without operators and once with each, and takes apart what the linker kept. A
section stays if something that stays refers to it, so what a set of operators links is the union of
what each of them links. Strings count one by one: the linker merges equal ones across sections.

Writes ``predictor/memory/code_size/2020.07.json``; ``--check`` links N random sets beside it and
records the largest error.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from predictor.boards.board import Board, shipped_boards
from predictor.firmware import build as firmware_build
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.kernel_sets import available_operators, select_library
from predictor.firmware.op_resolver import operators_header, select_operators
from predictor.firmware.toolchain import PREFIX, find_toolchain
from predictor.memory import flash
from predictor.memory.revision import OURS
from predictor.operators.sizes import align_up

TABLE = Path(flash.__file__).parent / "code_size" / "2020.07.json"
DEFAULT_KERNELS = "reference"
SOURCE = [
    "TFLM of TensorFlow 33689c48ad (crates.io package tfmicro 0.1.0), reference kernels or (ours) "
    "this project's kernels, and this project's runner, built by firmware/ with arm-none-eabi-gcc "
    "12.2 at -O2 with --gc-sections: one image linked per operator, sizes from the linker maps "
    "(tools/measure_code_size.py).",
    "base_bytes: the runner without operators. A group is code that at least one of the operators "
    "in linked_by links.",
    "error: the largest error, as a fraction, of images with random sets of operators and with all "
    "of them; no such image was used to make the table.",
    "RAM: static_ram_bytes is .data and .bss of the runner without operators, ram_groups what "
    "operators add, interpreter_bytes the interpreter object; arena and stack are not in it.",
]
SECTION_ALIGNMENT_BYTES = 4
INTERPRETER_BYTES = 176
"""The runner's interpreter object, which it places in RAM itself."""
RESOLVER_BYTES = 48
"""One entry of the runner's op resolver; it makes one for each kind of operator in the model."""
Piece = tuple[str, ...]
"""Section and object file, or a merged constant: its kind and content."""


@dataclass(frozen=True)
class Image:
    """What one link kept: bytes in flash and RAM, in all and by piece."""

    flash_bytes: int
    ram_bytes: int
    flash_pieces: dict[Piece, int]
    ram_pieces: dict[Piece, int]


class Linker:
    """Links the runner of a board with sets of operators, in one build folder."""

    def __init__(self, board: Board, folder: Path, kernels: str) -> None:
        self.board = board
        self.folder = folder
        self.toolchain = find_toolchain()
        self.library = select_library(self.toolchain, board.core.model, None, kernels, print)
        self.available = available_operators(self.library, registers_builtin=False)

    def link(self, names: Iterable[str] | None) -> Image:
        header = operators_header(select_operators(self.available, names))
        firmware_build.compile_programs(
            self.toolchain,
            self.folder,
            "0" * 16,
            self.board,
            firmware_build.runner_variables(self.library, firmware_build.DEFAULT_STACK_BYTES),
            {"operators.h": header},
        )
        flash_base = self.board.spans("flash")[0].regions[0].base
        return read_image(self.folder, flash_base)


def read_image(folder: Path, flash_base: int) -> Image:
    """Takes a linked runner apart."""
    symbols = ElfImage(folder / "runner.elf").symbol
    data_bytes = symbols("__data_end") - symbols("__data_start")
    flash_pieces: dict[Piece, int] = {}
    ram_pieces: dict[Piece, int] = {}
    opened = cache(object_file)
    for output, name, size, origin in map_sections((folder / "runner.map").read_text()):
        section = opened(str(folder / origin)).get_section_by_name(name)
        if output in (".data", ".bss"):
            ram_pieces[piece(section, origin)] = size
        if output in (".text", ".ARM.exidx", ".data"):
            if section["sh_flags"] & SH_FLAGS.SHF_MERGE:
                flash_pieces |= merged_constants(section)
            else:
                flash_pieces[piece(section, origin)] = align_up(size, SECTION_ALIGNMENT_BYTES)
    return Image(
        flash_bytes=symbols("__blobs_start") - flash_base,
        ram_bytes=data_bytes + symbols("__bss_end") - symbols("__bss_start"),
        flash_pieces=flash_pieces,
        ram_pieces=ram_pieces,
    )


def map_sections(text: str) -> Iterable[tuple[str, str, int, str]]:
    """(output section, input section, bytes, object file) of a linker map."""
    text = text.split("Linker script and memory map", 1)[1]
    output = ""
    for line in re.sub(r"\n( \.\S+)\n +0x", r"\n\1 0x", text).splitlines():
        if found := re.match(r"(\.\S+)", line):
            output = found[1]
        elif found := re.match(r" (\.\S+) +0x[0-9a-f]+ +0x([0-9a-f]+) (?!linker stubs)(.*)", line):
            yield output, found[1], int(found[2], 16), found[3]


def object_file(origin: str) -> ELFFile:
    """An object file, or the member of an archive: ``library.a(member.o)``."""
    archive = re.fullmatch(r"(.*)\((.*)\)", origin)
    if archive is None:
        return ELFFile(BytesIO(Path(origin).read_bytes()))
    return archive_member(archive[1], archive[2])


@cache
def archive_member(archive: str, member: str) -> ELFFile:
    command = [f"{PREFIX}ar", "p", archive, member]
    return ELFFile(BytesIO(subprocess.run(command, capture_output=True, check=True).stdout))


def piece(section: Section, origin: str) -> Piece:
    """Of a section in a group, such as an inline function, one is linked whatever file holds it."""
    shared = section["sh_flags"] & SH_FLAGS.SHF_GROUP
    return (section.name,) if shared else (section.name, origin)


def merged_constants(section: Section) -> dict[Piece, int]:
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


def measure(linker: Linker) -> dict[str, Any]:
    """The table of one core."""
    base = linker.link(())
    singles = {}
    for operator in linker.available:
        singles[operator.label] = linker.link([operator.label])
        print(linker.board.core.name, operator.label, flush=True)
    return {
        "base_bytes": base.flash_bytes,
        "error": 0.0,
        "static_ram_bytes": base.ram_bytes,
        "interpreter_bytes": INTERPRETER_BYTES,
        "resolver_bytes": {"fixed": RESOLVER_BYTES, "per_operator": 0},
        "ram_groups": groups(base.ram_pieces, {k: v.ram_pieces for k, v in singles.items()}),
        "groups": groups(base.flash_pieces, {k: v.flash_pieces for k, v in singles.items()}),
    }


def groups(base: dict[Piece, int], singles: dict[str, dict[Piece, int]]) -> list[dict[str, Any]]:
    """Pieces beyond ``base``, summed by the operators that link them, largest first."""
    linked_by: dict[Piece, dict[str, int]] = {}
    for label, pieces in singles.items():
        for piece, size in pieces.items():
            if size != base.get(piece, 0):
                linked_by.setdefault(piece, {})[label] = size - base.get(piece, 0)
    sums: dict[tuple[str, ...], int] = {}
    for piece, sizes in linked_by.items():
        # The table of operators grows with each of them; other sections are the same in all images.
        shares = [(label,) for label in sizes] if piece in base else [tuple(sorted(sizes))]
        for labels in shares:
            sums[labels] = sums.get(labels, 0) + sizes[labels[0]]
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return [{"bytes": size, "linked_by": list(labels)} for labels, size in ranked]


def largest_error(linker: Linker, table: dict[str, Any], count: int) -> float:
    """Largest relative error over random sets of operators and over all of them."""
    rng = random.Random(2020)
    labels = sorted({label for group in table["groups"] for label in group["linked_by"]})
    sets = [rng.sample(labels, rng.randint(2, 12)) for _ in range(count)]
    sets += [rng.sample(labels, rng.randint(13, len(labels))) for _ in range(count // 4)]
    worst = 0.0
    for chosen in [*sets, labels]:
        linked = linker.link(chosen).flash_bytes
        predicted = table["base_bytes"] + sum(
            group["bytes"] for group in table["groups"] if set(group["linked_by"]) & set(chosen)
        )
        print(len(chosen), linked, predicted, f"{predicted / linked - 1:+.3%}", flush=True)
        worst = max(worst, abs(predicted / linked - 1))
    return worst


def write_table(profiles: dict[str, Any]) -> None:
    """Puts the profiles in the place of those of the same name."""
    kept = json.loads(TABLE.read_text(encoding="utf-8"))["profiles"]
    text = json.dumps({"source": SOURCE, "profiles": kept | profiles}, separators=(",", ":"))
    TABLE.write_text(text.replace('{"bytes"', '\n{"bytes"') + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", type=int, default=0, help="random sets to link beside")
    parser.add_argument(
        "--kernels", choices=[DEFAULT_KERNELS, OURS], default=DEFAULT_KERNELS, help="kernel set"
    )
    arguments = parser.parse_args()
    profiles = {}
    # Of each core its smallest board.
    boards = {board.core.name: board for board in reversed(shipped_boards())}
    for core, board in sorted(boards.items()):
        with tempfile.TemporaryDirectory() as folder:
            linker = Linker(board, Path(folder), arguments.kernels)
            table = measure(linker)
            table["error"] = ceil(1000 * largest_error(linker, table, arguments.check)) / 1000
            profiles[f"{core}/{arguments.kernels}"] = table
    write_table(profiles)


if __name__ == "__main__":
    main()
