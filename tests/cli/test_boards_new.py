"""``predict boards new``: what it writes is what the strict reader takes, and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictor.boards.board import find_board
from predictor.cli.main import run

BOARDS = {
    "l476rg": [
        *("--core", "m4", "--clock", "80MHz", "--flash", "0x08000000:1MB", "--wait-states", "4"),
        *("--flash-interface", "stm32l4"),
        *("--ram", "sram1=0x20000000:96KB", "--ram", "sram2=0x10000000:32KB"),
    ],
    "nrf52832": [
        *("--core", "cortex-m4", "--clock", "64MHz", "--flash", "0:512KB"),
        *("--ram", "ram=0x2000_0000:64KB"),
    ],
    "uno-r4": [
        "--core",
        "M4",
        "--clock",
        "48 mhz",
        "--flash",
        "0:256KB",
        "--ram",
        "0x20000000:32KB",
    ],
    "h743zi": [
        *("--core", "m7", "--fpu", "fpv5-d16", "--clock", "480MHz", "--flash", "0x08000000:2MB"),
        *("--ram", "axi=0x24000000:512KB", "--ram", "dtcm=0x20000000:128KB", "--wait-states", "4"),
        *("--icache", "16KB", "--dcache", "16KB"),
    ],
}


@pytest.mark.parametrize("name", BOARDS)
def test_boards_that_ship_can_be_written_anew(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    assert run(["boards", "new", str(file), *BOARDS[name], "--source", "a manual"]) == 0
    assert f"--board {file}" in capsys.readouterr().out
    made, shipped = find_board(str(file)), find_board(name)
    assert made.name == made.title == "mine"
    assert made.core == shipped.core
    known = {(region.kind, region.base, region.size_bytes) for region in shipped.regions}
    assert {(region.kind, region.base, region.size_bytes) for region in made.regions} <= known
    assert made.sources == (("given", "a manual"),)
    assert run(["boards", str(file)]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--core", "m9"], "unknown core 'cortex-m9'"),
        (["--clock", "80"], "'80' is no clock"),
        (["--flash-interface", "art"], "unknown flash interface 'art'; known: stm32f4, stm32l4"),
        (["--clock", "0Hz"], "clock_hz"),
        (["--ram", "sram1"], "'sram1' is no memory"),
        (["--ram", "0x30000000:4XB"], "is no size"),
        (["--ram", "0x20000000:8KB"], "overlap"),
        (["--ram", "0xFFFFFFFF:8KB"], "outside the 32-bit address space"),
        (["--ram", 'a"b=0x30000000:8KB'], "characters"),
        (["--name", "a b"], "name"),
        (["--title", "a\nb"], "characters"),
        (["--fpu", "fpv9"], "fpv9"),
    ],
)
def test_what_is_no_board_is_not_written(
    change: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    assert run(["boards", "new", str(file), *BOARDS["nrf52832"], *change]) == 2
    assert words in capsys.readouterr().err
    assert not file.exists()


def test_a_file_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("calibrated")
    assert run(["boards", "new", str(file), *BOARDS["nrf52832"]]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "calibrated"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=st.text(max_size=12), source=st.text(max_size=12))
def test_any_text_is_told_or_kept(tmp_path: Path, title: str, source: str) -> None:
    file = tmp_path / "mine.toml"
    file.unlink(missing_ok=True)
    words = [f"--title={title}", f"--source={source}"]
    code = run(["boards", "new", str(file), *BOARDS["nrf52832"], *words])
    assert code in (0, 2)
    assert file.exists() == (code == 0)
    if code == 0 and title:
        assert find_board(str(file)).title == title
