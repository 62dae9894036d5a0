"""The cache of what was built: whole, or made anew."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.errors import EmulationError
from predictor.files import new_folder, sweep
from predictor.firmware import cache
from predictor.firmware.build import build
from predictor.firmware.cache import cached
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.target import firmware_target


class Filler:
    """Fills a folder, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "deep").mkdir()
        (folder / "firmware.elf").write_bytes(bytes(range(256)))
        (folder / "deep" / "log").write_text("log")


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    fill = Filler()
    for _ in range(3):
        folder = cached(tmp_path / "entry", fill)
        assert (folder / "firmware.elf").read_bytes() == bytes(range(256))
    assert fill.calls == 1
    assert os.listdir(tmp_path) == ["entry"]


def _flip(path: Path) -> None:
    """A bit, as a failing disk does: neither size nor times tell."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


DAMAGES = {
    "a flipped bit": lambda folder: _flip(folder / "firmware.elf"),
    "a cut file": lambda folder: os.truncate(folder / "firmware.elf", 100),
    "an empty file": lambda folder: os.truncate(folder / "firmware.elf", 0),
    "a file gone": lambda folder: (folder / "deep" / "log").unlink(),
    "a folder for a file": lambda folder: (
        (folder / "firmware.elf").unlink(),
        (folder / "firmware.elf").mkdir(),
    ),
    "no digests": lambda folder: (folder / "digests.json").unlink(),
    "empty digests": lambda folder: os.truncate(folder / "digests.json", 0),
    "other digests": lambda folder: (folder / "digests.json").write_text("[1, 2]"),
    "strange digests": lambda folder: (folder / "digests.json").write_text('{"a": 3}'),
    "a file for all": lambda folder: (shutil.rmtree(folder), folder.write_text("file")),
    "nothing left": lambda folder: shutil.rmtree(folder),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_filled_again(tmp_path: Path, damage: str) -> None:
    fill = Filler()
    DAMAGES[damage](cached(tmp_path / "entry", fill))
    folder = cached(tmp_path / "entry", fill)
    assert fill.calls == 2
    assert (folder / "firmware.elf").read_bytes() == bytes(range(256))
    assert (folder / "deep" / "log").read_text() == "log"
    assert os.listdir(tmp_path) == ["entry"]


def test_large_folders_may_be_checked_by_size_and_time(tmp_path: Path) -> None:
    fill = Filler()
    folder = cached(tmp_path / "entry", fill, trusts_times=True)
    os.utime(folder / "firmware.elf", ns=(1, 1))  # copied, say: then the content tells
    cached(tmp_path / "entry", fill, trusts_times=True)
    assert fill.calls == 1
    (folder / "firmware.elf").write_bytes(bytes(256))
    cached(tmp_path / "entry", fill, trusts_times=True)
    assert fill.calls == 2


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise EmulationError("broken")

    with pytest.raises(EmulationError, match="broken"):
        cached(tmp_path / "entry", fill)
    assert os.listdir(tmp_path) == []


def test_what_killed_builds_left_goes_even_if_nothing_is_built(tmp_path: Path) -> None:
    cached(tmp_path / "entry", Filler())
    (tmp_path / ".mcu-predictor-partial.0" / "entry").mkdir(parents=True)
    sweep.cache_clear()
    cached(tmp_path / "entry", Filler())
    assert os.listdir(tmp_path) == ["entry"]


def test_many_at_once(tmp_path: Path) -> None:
    """All find the folder damaged; nobody removes what another has just put in its place."""
    fill = Filler()
    _flip(cached(tmp_path / "entry", fill) / "firmware.elf")

    def use(number: int) -> bytes:
        return (cached(tmp_path / "entry", fill) / "firmware.elf").read_bytes()

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(use, range(64))) == {bytes(range(256))}
    assert fill.calls == 2  # one for the damaged folder, the others wait for it
    assert os.listdir(tmp_path) == ["entry"]


def test_nothing_appears_between_the_look_and_the_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what another has just made would go, not what was damaged."""
    entry, remove = tmp_path / "entry", cache.remove_folder
    appeared = []

    def make() -> None:
        with new_folder(entry) as folder:
            Filler()(folder)
            cache._seal(folder)

    other = threading.Thread(target=make)

    def remove_late(path: Path) -> None:
        other.start()
        other.join(0.3)  # it waits for the lock; without one it would be done by then
        appeared.append(path.exists())
        remove(path)

    monkeypatch.setattr(cache, "remove_folder", remove_late)
    cached(entry, Filler())
    other.join()
    assert appeared == [False]
    assert os.listdir(tmp_path) == ["entry"]


@pytest.mark.toolchain
@pytest.mark.timeout(600)
def test_damaged_firmware_heals(own_cache: Path) -> None:
    target = replace(firmware_target("f446re"), operators=frozenset())
    steps: list[str] = []
    elf = build(target, progress=steps.append).elf
    assert steps[-1:] == ["building firmware for f446re"]
    assert "compiling the runner for cortex-m4 (once)" not in steps  # what boards share is there
    assert own_cache in elf.parents
    before = ElfImage(elf).segments
    damaged = elf.read_bytes().replace(before[0].data, before[0].data[:-1] + b"?")
    elf.write_bytes(damaged)
    assert ElfImage(elf).segments != before
    assert ElfImage(build(target).elf).segments == before
