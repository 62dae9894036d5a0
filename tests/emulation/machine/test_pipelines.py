"""Sequences of instructions take the cycles that manuals and measurements of the cores tell."""

from __future__ import annotations

import gc
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from predictor import toml
from predictor.cores.core import find_core
from predictor.emulation.machine import StopReason
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


PROGRAM = """#include "start.h"
volatile uint32_t marker;
void turns(uint32_t count);
__asm__(".syntax unified\\n.global turns\\n.thumb_func\\n.balign 4\\n"
        "turns:\\n1: subs r0, #1\\nbne 1b\\nbx lr\\n");
int main(void) {
  turns(77);
  for (int i = 0; i < 2; ++i) {
    marker = 1 << 16 | 1;
    turns(1000);
    marker = 2 << 16;
    turns(4000);
    marker = 0;
  }
}
"""


def test_each_operator_has_its_own_cycles(make_machine):
    if native_library() is None:
        pytest.skip("the extension module was not built")
    whole, parts = (make_machine(PROGRAM, "f446re") for _ in range(2))
    counted = [machine.count_cycles("marker", [2, 1]) for machine in (whole, parts)]
    assert whole.run(until_symbol="finished").stop is StopReason.SYMBOL
    for _ in range(40):  # stops inside loops, and between them
        parts.run(until_symbol="finished", max_instructions=parts.instructions + 331)
    parts.run(until_symbol="finished")
    short, long = (counted[0].of_operator(*key).total for key in ((0, 1), (1, 0)))
    assert long - short == pytest.approx(2 * 3000 * 3, abs=20)
    assert short == pytest.approx(2 * 1000 * 3, abs=40)
    assert counted[0].of_operator(0, 0).total == 0
    for key in ((0, 0), (0, 1), (1, 0)):
        assert counted[1].of_operator(*key) == counted[0].of_operator(*key)


def test_a_core_that_guesses_pays_where_it_is_wrong(make_machine):
    """A branch that goes the same way for long is guessed right, one that changes is not."""
    if native_library() is None:
        pytest.skip("the extension module was not built")
    machine = make_machine(PROGRAM, "f746zg")
    counted = machine.count_cycles("marker", [2, 1])
    machine.run(until_symbol="finished")
    assert counted.of_operator(1, 0).branch < 100
    assert 2 * 4000 <= counted.of_operator(1, 0).total < 2 * 4000 + 100


def test_a_counter_that_nobody_holds_counts_on(make_machine):
    machine = make_machine(PROGRAM, "f446re")
    for _ in range(20):
        machine.count_cycles("marker", [2, 1])
    gc.collect()
    assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL


def test_a_core_without_timings_counts_no_cycles(make_machine):
    assert find_core("cortex-m55").pipeline is None
    machine = make_machine(PROGRAM, "f446re")
    machine._core.core = find_core("cortex-m55")
    assert machine.count_cycles("marker", [2, 1]) is None
