"""Sequences of instructions take the cycles that manuals and measurements of the cores tell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from predictor import toml
from predictor.cores.core import find_core
from predictor.emulation.unicorn.pipeline_counter import native_library, sequence_cycles

TABLES = toml.loads(Path(__file__).with_name("pipelines.toml").read_text(encoding="utf-8"))
SOURCES = TABLES.pop("sources")
FEW, MANY = 4, 14  # copies of a sequence: between them its beginning and its end do not count


@pytest.fixture(scope="module", params=TABLES)
def code(request, tmp_path_factory) -> tuple[str, dict[str, bytes]]:
    """A core, and the code of its sequences by the label that :func:`_assembly` gave it."""
    if native_library() is None:
        pytest.skip("the extension module was not built")
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed (apt install gcc-arm-none-eabi)")
    folder = tmp_path_factory.mktemp(request.param)
    source, program = folder / "sequences.s", folder / "sequences.o"
    source.write_text(_assembly(TABLES[request.param]), encoding="ascii")
    flags = find_core(request.param).compiler_flags
    subprocess.run(["arm-none-eabi-gcc", *flags, "-c", str(source), "-o", str(program)], check=True)
    with program.open("rb") as file:
        elf = ELFFile(file)
        text = elf.get_section_by_name(".text").data()
        places = {
            symbol.name: symbol["st_value"] & ~1
            for symbol in elf.get_section_by_name(".symtab").iter_symbols()
        }
    begins = (name for name in places if name.startswith("begin_"))
    return request.param, {
        name.removeprefix("begin_"): text[places[name] : places[name.replace("begin", "end")]]
        for name in begins
    }


def _assembly(table) -> str:
    lines = [".syntax unified", ".thumb", ".text"]
    for index, (sequence, case) in enumerate(table.items()):
        for copies in (1,) if case.get("loop") else (FEW, MANY):
            label = f"{index}_{copies}"
            lines += [".balign 4", f"begin_{label}:", "1:", f".rept {copies}"]
            lines += [*sequence.split("; "), ".endr", f"end_{label}:"]
    return "\n".join((*lines, ""))


def test_sequences_take_their_cycles(code):
    name, pieces = code
    pipeline = find_core(name).pipeline
    assert pipeline is not None
    found = {}
    for index, (sequence, case) in enumerate(TABLES[name].items()):
        assert case["source"] in SOURCES
        if case.get("loop"):
            found[sequence] = sum(sequence_cycles(pipeline, pieces[f"{index}_1"], repeats=True))
        else:
            few, _ = sequence_cycles(pipeline, pieces[f"{index}_{FEW}"])
            many, _ = sequence_cycles(pipeline, pieces[f"{index}_{MANY}"])
            found[sequence] = (many - few) / (MANY - FEW)
    expected = {sequence: case["cycles"] for sequence, case in TABLES[name].items()}
    assert found == expected
