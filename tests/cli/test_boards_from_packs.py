"""``predict boards new --pack``: a device of a CMSIS-Pack, and packs that are none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.boards.cmsis_pack import read_device
from predictor.cli.main import run
from predictor.errors import BoardError

DEVICES = """<?xml version="1.0" encoding="utf-8"?>
<package schemaVersion="1.3"><vendor>V</vendor><devices>
 <family Dfamily="F" Dvendor="V:1">
  <processor Dcore="Cortex-M4" DcoreVersion="r0p1" Dfpu="SP_FPU" Dmpu="1"/>
  <subFamily DsubFamily="F4">
   <processor Dclock="80000000"/>
   <memory id="IRAM1" start="0x20000000" size="0x18000" init="0" default="1"/>
   <device Dname="F476">
    <memory id="IROM1" start="0x08000000" size="0x00100000" startup="1" default="1"/>
    <memory name="SRAM 2" access="rwx" start="0x10000000" size="32768"/>
    <variant Dvariant="F476X"><processor Dclock="48000000"/></variant>
   </device>
  </subFamily>
  <device Dname="F0"><processor Dcore="Cortex-M0+" Dfpu="NO_FPU"/></device>
  <device Dname="FDUAL"><processor Pname="a"/><processor Pname="b"/></device>
 </family>
</devices></package>"""


def pack_of(folder: Path, text: str | bytes, name: str = "V.F.pdsc") -> Path:
    path = folder / "V.F.1.0.0.pack"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, text)
    return path


def test_a_device_becomes_a_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, file = pack_of(tmp_path, DEVICES), tmp_path / "f476.toml"
    assert run(["boards", "new", str(file), "--pack", str(pack), "--device", "f476"]) == 0
    assert "131,072 B of RAM, 1,048,576 B of flash" in capsys.readouterr().out
    board = find_board(file)
    assert (board.core.name, board.core.clock_hz, board.soc) == ("cortex-m4", 80_000_000, "F476")
    assert board.core.model.fpu == "fpv4-sp-d16"
    assert {(r.name, r.base) for r in board.regions} == {
        ("iram1", 0x2000_0000), ("irom1", 0x0800_0000), ("sram_2", 0x1000_0000)
    }  # fmt: skip
    assert board.sources == (("given", "CMSIS-Pack V.F.1.0.0.pack"),)


def test_variants_inherit_and_the_command_line_comes_first(tmp_path: Path) -> None:
    pack, file = pack_of(tmp_path, DEVICES), tmp_path / "own.toml"
    assert read_device(pack, "F476X").clock_hz == 48_000_000
    assert len(read_device(pack, "F476X").memories) == 3
    options = ["--pack", str(pack), "--device", "F476X", "--clock", "24MHz", "--fpu", "none"]
    assert run(["boards", "new", str(file), *options]) == 0
    board = find_board(file)
    assert (board.core.clock_hz, board.core.model.fpu) == (24_000_000, "none")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("F467", "has no device 'F467': did you mean F476"),
        ("FDUAL", "FDUAL has several cores"),
        ("F0", "--clock, --flash, --ram must be given, CMSIS-Pack V.F.1.0.0.pack does not say"),
    ],
)
def test_devices_that_say_too_little(
    device: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, file = pack_of(tmp_path, DEVICES), tmp_path / "board.toml"
    assert run(["boards", "new", str(file), "--pack", str(pack), "--device", device]) == 2
    assert words in capsys.readouterr().err
    assert not file.exists()


BOMB = '<!DOCTYPE a [<!ENTITY b "cccc"><!ENTITY d "&b;&b;">]><package>&d;</package>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "declares entities"),
        ("<package><devices>", "cannot be read"),
        (BOMB.encode("utf-16"), "cannot be read"),
        (DEVICES.replace("0x18000", "many"), "'many' is no number"),
        (b" " * ((32 << 20) + 1), "more than 33,554,432 bytes"),
    ],
)
def test_descriptions_that_are_none(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=words):
        read_device(pack_of(tmp_path, text), "F476")


def test_files_that_are_no_packs(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot read"):
        read_device(tmp_path / "none.pack", "F476")
    (tmp_path / "text.pack").write_text("<package/>")
    with pytest.raises(BoardError, match="is no CMSIS-Pack"):
        read_device(tmp_path / "text.pack", "F476")
    with pytest.raises(BoardError, match="it holds 0 descriptions"):
        read_device(pack_of(tmp_path, "x", "readme.txt"), "F476")
    whole = pack_of(tmp_path, DEVICES).read_bytes()
    for cut in range(0, len(whole), 97):
        (tmp_path / "cut.pack").write_bytes(whole[:cut])
        with pytest.raises(BoardError):
            read_device(tmp_path / "cut.pack", "F476")


def test_a_device_without_its_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "new", str(tmp_path / "b.toml"), "--device", "F476"]) == 2
    assert "--pack and --device go together" in capsys.readouterr().err
