"""ELF files that are damaged: one clear line, or a program without what the damage took."""

from __future__ import annotations

import random
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from predictor.errors import EmulationError, MissingDependencyError
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.toolchain import PREFIX, find_toolchain

SOURCE = "int x = 3; int f(int a) { return a * x; } void _start(void) { for (;;) f(2); }\n"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small program with symbols and debug information."""
    try:
        find_toolchain()
    except MissingDependencyError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("elf")
    (folder / "s.c").write_text(SOURCE)
    options = ["-mcpu=cortex-m4", "-mthumb", "-g", "-nostdlib", "-Wl,-Ttext=0x8000000"]
    command = [f"{PREFIX}gcc", *options, "s.c", "-o", "s.elf"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "s.elf").read_bytes()


def _damaged(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        # The header, and what the end of the file lists of sections, matter most.
        where = chance.choice((range(64), range(len(changed) - 2000, len(changed)), range(6000)))
        place = chance.choice(where) % len(changed)
        changed[place] = chance.choice((0, 1, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed[: chance.choice((len(changed), chance.randint(1, len(changed))))])


@pytest.mark.parametrize("seed", range(200))
def test_damage_is_one_line_or_does_no_harm(elf: bytes, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "damaged.elf"
    path.write_bytes(_damaged(elf, random.Random(seed)))
    problem = None
    try:
        image = ElfImage(path)
    except EmulationError as error:
        problem = str(error)
    if problem is not None:
        assert str(path) in problem
        assert "\n" not in problem
        return
    for function in image.functions:
        assert image.locate(function.address).address == function.address


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a readable ELF file"),
        (b"\x7fELF", "is not a readable ELF file"),
        (b"<html>", "is not a readable ELF file"),
    ],
)
def test_other_files(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "program.elf"
    path.write_bytes(content)
    with pytest.raises(EmulationError, match=words):
        ElfImage(path)


def test_vectors_are_found_behind_ram_without_data(tmp_path: Path) -> None:
    """As on chips whose RAM lies below their flash."""
    if shutil.which(f"{PREFIX}gcc") is None:
        pytest.skip(f"{PREFIX}gcc is not installed: apt install gcc-arm-none-eabi")
    (tmp_path / "s.c").write_text("char ram[64]; int main(void) { return ram[0]; }\n")
    places = "-Wl,-Ttext=0x60000000,-Tbss=0x20000000,-e,main"
    command = [f"{PREFIX}gcc", "-mcpu=cortex-m4", "-mthumb", "-nostdlib", places]
    subprocess.run([*command, "s.c", "-o", "s.elf"], cwd=tmp_path, check=True)
    image = ElfImage(tmp_path / "s.elf")
    assert min(segment.load_address for segment in image.segments) < 0x6000_0000
    assert image.vectors.load_address // 0x1_0000 * 0x1_0000 == 0x6000_0000


def test_segments_and_symbols_are_those_of_pyelftools(elf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "program.elf"
    path.write_bytes(elf)
    image = ElfImage(path)
    loaded = [it for it in ELFFile(BytesIO(elf)).iter_segments() if it["p_type"] == "PT_LOAD"]
    assert loaded
    assert [(it.load_address, it.run_address, it.data) for it in image.segments] == [
        (it["p_paddr"], it["p_vaddr"], it.data()) for it in loaded if it["p_memsz"]
    ]
    symbols, functions = {}, {}
    for symbol in ELFFile(BytesIO(elf)).get_section_by_name(".symtab").iter_symbols():
        kind = symbol["st_info"]["type"]
        if not symbol.name or symbol["st_shndx"] == "SHN_UNDEF" or kind == "STT_FILE":
            continue
        if symbol["st_info"]["bind"] == "STB_GLOBAL" or symbol.name not in symbols:
            symbols[symbol.name] = symbol["st_value"]
        if kind == "STT_FUNC":
            functions[symbol["st_value"] & ~1] = symbol["st_size"], symbol.name
    assert {"x", "f", "_start"} <= image.symbols.keys()
    assert dict(image.symbols) == symbols
    assert {f.address: (f.size_bytes, f.name) for f in image.functions} == functions


def test_symbols_of_another_size(elf: bytes, tmp_path: Path) -> None:
    section = ELFFile(BytesIO(elf))
    index = section.get_section_index(".symtab")
    place = section["e_shoff"] + index * section["e_shentsize"] + 36
    path = tmp_path / "program.elf"
    path.write_bytes(elf[:place] + (24).to_bytes(4, "little") + elf[place + 4 :])
    with pytest.raises(EmulationError, match="symbol table is malformed"):
        ElfImage(path)
