"""``predict boards new --pyocd``: memories of a chip in pyOCD's database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.boards.pyocd_targets import read_target
from predictor.cli.main import run
from predictor.errors import BoardError, MissingDependencyError

needs_pyocd = pytest.mark.usefixtures("pyocd")
GIVEN = ["--core", "m4", "--clock", "80MHz"]


@pytest.fixture
def pyocd() -> None:
    pytest.importorskip("pyocd", reason="pip install -e '.[boards]'")


@needs_pyocd
def test_a_target_becomes_a_board(tmp_path: Path) -> None:
    """As large as the shipped board with this chip says from its data sheet."""
    file = tmp_path / "l475.toml"
    assert run(["boards", "new", str(file), "--pyocd", "STM32L475xG", *GIVEN]) == 0
    found, shipped = find_board(file), find_board("l475-iot1")
    assert (found.sram_bytes, found.flash_bytes) == (shipped.sram_bytes, shipped.flash_bytes)
    assert {region.base for region in found.regions} == {r.base for r in shipped.regions}
    assert found.soc == "STM32L475XG"
    assert found.sources == (("given", "pyOCD's target stm32l475xg"),)


@needs_pyocd
def test_pages_of_configuration_aliases_and_rom_are_left_out() -> None:
    names = {memory.name for memory in read_target("nrf52840").memories}
    assert names == {"flash", "ram"}
    assert {memory.name for memory in read_target("rp2040").memories} == {
        "xip", "sram0_3", "sram4_5", "usbram"
    }  # fmt: skip


@needs_pyocd
def test_what_it_does_not_say_must_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "b.toml")
    assert run(["boards", "new", file, "--pyocd", "nrf52840"]) == 2
    told = capsys.readouterr().err
    assert "--core, --clock must be given, pyOCD's target nrf52840 does not say" in told
    assert run(["boards", "new", file, "--pyocd", "k64f", "--pack", "a.pack", "--device", "b"]) == 2
    assert not Path(file).exists()


@needs_pyocd
@pytest.mark.parametrize("name", ["nrf52841", "no such", ""])
def test_targets_that_there_are_not(name: str) -> None:
    with pytest.raises(BoardError, match="pyocd list --targets"):
        read_target(name)


@needs_pyocd
def test_every_target_is_read_or_says_why_not() -> None:
    from pyocd.target import BUILTIN_TARGETS

    read = 0
    for name in BUILTIN_TARGETS:
        try:
            read += bool(read_target(name).memories)
        except BoardError as error:
            assert "--flash and --ram" in str(error)  # noqa: PT017
    assert read > len(BUILTIN_TARGETS) // 2


def test_without_pyocd_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyocd.target", None)
    with pytest.raises(MissingDependencyError, match=r"boards"):
        read_target("k64f")
