"""Cores as data: what their files say, how chips differ, and that a new core takes a file alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from predictor import toml
from predictor.boards.board import find_board
from predictor.cores import core as cores
from predictor.cores.core import core_names, find_core
from predictor.cost.instructions import Basis
from predictor.errors import BoardError
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

FOLDER = Path(cores.__file__).parent


@pytest.mark.parametrize("name", core_names())
def test_each_figure_of_a_core_names_its_source(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text()
    marks = toml.loads(text)["sources"]
    body = text.split("[sources]")[0].split("[emulators]")[0]
    for line in body.splitlines():
        key, _, value = line.partition(" = ")
        if value and not line.startswith("#") and key.strip() not in ("name", "stand_ins"):
            assert any(f"# {mark}" in value for mark in marks), line


@pytest.mark.parametrize("name", core_names())
def test_gcc_takes_the_flags_of_each_core(name: str) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed (apt install gcc-arm-none-eabi)")
    for fpu in toml.loads((FOLDER / f"{name}.toml").read_text())["fpu"]:
        core = find_core(name, fpu)
        command = ["arm-none-eabi-gcc", *core.compiler_flags, "-dM", "-E", "-x", "c", "/dev/null"]
        macros = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert ("__ARM_FEATURE_DSP 1" in macros) == ("dsp" in core.extensions)
        assert ("__ARM_FEATURE_MVE" in macros) == ("mve" in core.extensions)
        assert ("__ARM_FP " in macros) == (fpu != "none")


CONDITIONAL = "float pick(int a, int b, int c) { return c ? (float)a : (float)b; }\n"


@pytest.mark.parametrize("name", core_names())
def test_programs_compile_for_each_core(name: str, tmp_path: Path) -> None:
    """GCC 12's assembler refuses ``vcvtne.f32.s32``, which its compiler makes of this with MVE."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed (apt install gcc-arm-none-eabi)")
    core = find_core(name)
    (tmp_path / "pick.c").write_text(CONDITIONAL)
    command = ["arm-none-eabi-gcc", *core.program_flags, "-O2", "-c", "pick.c", "-o", "pick.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert core.program_flags[1:] == core.compiler_flags[1:]
    assert (core.program_flags == core.compiler_flags) == ("mve" not in core.extensions)


def test_chips_differ_in_their_floating_point_unit() -> None:
    usual, none = find_core("cortex-m4"), find_core("cortex-m4", "none")
    assert (usual.fpu, usual.measured_as) == ("fpv4-sp-d16", ("cortex-m4",))
    assert none.compiler_flags == ("-mcpu=cortex-m4+nofp", "-mthumb", "-mfloat-abi=soft")
    assert none.measured_as == ("cortex-m4+nofp", "cortex-m4")
    # Built for single precision either way.
    assert find_core("cortex-m7", "fpv5-d16").measured_as == ("cortex-m7",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cortex-m44",), "did you mean cortex-m4"),
        (("z80",), "known cores: cortex-m"),
        (("cortex-m4", "fpv5-d16"), "no FPU 'fpv5-d16'; known: fpv4-sp-d16, none"),
        (("cortex-m4", None, ("dsp",)), "cannot lack dsp"),
    ],
)
def test_cores_that_do_not_exist(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(BoardError, match=message):
        find_core(*arguments)  # type: ignore[arg-type]


BOARD = """\
name = "mine"
[core]
name = "cortex-m99"
clock_hz = 64_000_000
{keys}
[[regions]]
name = "flash"
kind = "flash"
base = 0
bytes = 1_048_576
[[regions]]
name = "ram"
kind = "sram"
base = 0x2000_0000
bytes = 262_144
"""
CORE = """\
name = "cortex-m99"
architecture = "armv8-m.main"
cpuid = 0x410F_D210
cycle_counter = "dwt"
stand_ins = ["cortex-m4"]
[extensions]
dsp = "+nodsp"
[fpu]
fpv5-sp-d16 = ""
none = "+nofp"
"""


@pytest.fixture
def new_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of cores with one more."""
    folder = tmp_path / "cores"
    shutil.copytree(FOLDER, folder)
    (folder / "cortex-m99.toml").write_text(CORE)
    monkeypatch.setattr(cores, "_FOLDER", folder)
    return tmp_path


def test_a_core_takes_its_file_and_nothing_else(new_core: Path) -> None:
    path = new_core / "mine.toml"
    path.write_text(BOARD.format(keys=""))
    board, m4 = find_board(path), find_board("f446re")
    assert board.core.model.extensions == {"dsp"}
    content = ds_cnn().build()
    found, known = predict(content, board), predict(content, m4)
    assert found.arena.required_bytes == known.arena.required_bytes
    assert found.flash.code_bytes == known.flash.code_bytes
    assert found.work.instructions == known.work.instructions
    assert found.work.basis is Basis.OTHER_CORE
    assert any("none were measured on a cortex-m99" in note for note in found.notes)


@pytest.mark.parametrize(
    ("core", "told", "taken"),
    [
        ("cortex-m99", "fpv4-sp-d16", "fpv5-sp-d16"),
        ("cortex-m7", "fpv4-sp-d16", "fpv5-sp-d16"),
        ("cortex-m4", "fpv5-d16", "fpv4-sp-d16"),
        ("cortex-m0plus", "fpv4-sp-d16", "none"),
        ("cortex-m99", "none", "none"),
    ],
)
def test_a_unit_that_another_core_has(new_core: Path, core: str, told: str, taken: str) -> None:
    path = new_core / "mine.toml"
    text = BOARD.format(keys=f'fpu = "{told}"')
    path.write_text(re.sub(r'name = "cortex-\w+"', f'name = "{core}"', text))
    board = find_board(path)
    assert board.core.model.fpu == taken
    notes = predict(ds_cnn(blocks=1).build(), board).notes
    assert any(f"says FPU {told}" in note for note in notes) == (told != taken)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("dps = false", "unknown key 'dps': did you mean dsp"),
        ("dsp = 1", "core.dsp must be true or false"),
        ('fpu = "fpv9-sp-d16"', "mine.toml: core: a cortex-m99 has no FPU"),
    ],
)
def test_wrong_keys_of_a_core(new_core: Path, keys: str, message: str) -> None:
    path = new_core / "mine.toml"
    path.write_text(BOARD.format(keys=keys))
    with pytest.raises(BoardError, match=message):
        find_board(path)


def test_code_of_a_core_without_sizes_follows_from_images_for_both() -> None:
    flash, other = (predict(ds_cnn().build(), board=name).flash for name in ("lpc1768", "f446re"))
    stand_in = find_core("cortex-m3").code_stand_in
    assert stand_in is not None
    assert flash.code_bytes == pytest.approx(stand_in.ratio * other.code_bytes, abs=8)
    assert flash.code_error == pytest.approx(other.code_error + stand_in.error)


def test_cores_with_the_same_instructions_have_the_same_code() -> None:
    same, own = (predict(ds_cnn().build(), board=name).flash for name in ("f072rb", "pico"))
    assert own.measured_on == same.measured_on == "cortex-m0plus"
    assert (same.code_bytes, same.code_error) == (own.code_bytes, own.code_error)
