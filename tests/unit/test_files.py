"""Files are written whole or not at all, into what is there, and nothing is left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from predictor.errors import OutputError
from predictor.files import new_folder, scratch_folder, sweep, write_file

REMAINS = ".mcu-predictor-partial.remains"


@pytest.fixture(autouse=True)
def _forget_what_was_swept() -> None:
    sweep.cache_clear()


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o644])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write_file(path, b"new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_is_not_to_be_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(OutputError, match="Permission denied"):
        write_file(path, "new")
    assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    write_file(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    (tmp_path / "there").symlink_to("folder")
    (tmp_path / "second").symlink_to("there/target")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    for text in ("made", "changed"):  # at first it leads to no file
        write_file(tmp_path / "first", text)
        assert target.read_text() == text
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert os.listdir(tmp_path / "folder") == ["target"]


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="Too many levels"):
        write_file(tmp_path / "a", "text")


def test_devices_stay_devices(tmp_path: Path) -> None:
    write_file(Path("/dev/null"), "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    (tmp_path / "link").symlink_to("/dev/null")
    write_file(tmp_path / "link", "text")
    assert stat.S_ISCHR((tmp_path / "link").stat().st_mode)


def test_named_pipes_are_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_file(path, b"content")
    reader.join()
    assert read == [b"content"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_name_is_appended_to(tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    code = "import sys; from pathlib import Path; from predictor.files import write_file\n"
    code += f"print('printed'); write_file(Path({name!r}), 'written\\n')"
    with path.open("a") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert path.read_text() == "before\nprinted\nwritten\n"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/full", "No space left"),
        ("/nowhere/file", "No such file"),
        ("/proc/version/x", "cannot write"),
        ("a\0b", "null"),
        ("x" * 300, "File name too long"),
        (".", "Is a directory"),
    ],
)
def test_what_cannot_be_written_is_one_error(
    path: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=words):
        write_file(Path(path), "text")
    assert os.listdir(tmp_path) == []


def test_names_may_be_as_long_as_the_system_takes(tmp_path: Path) -> None:
    write_file(tmp_path / ("x" * 255), "text")
    assert (tmp_path / ("x" * 255)).read_text() == "text"


def test_an_error_while_writing_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_file(path, "old")

    def fail(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("is_folder", [True, False])
def test_remains_of_killed_processes_are_removed(tmp_path: Path, is_folder: bool) -> None:
    remains = tmp_path / REMAINS
    if is_folder:
        (remains / "entry").mkdir(parents=True)
    else:
        remains.write_text("half")
    write_file(tmp_path / "file", "text")
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    (tmp_path / REMAINS).write_text("half")
    with (tmp_path / REMAINS).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_file(tmp_path / "file", "text")
        assert sorted(os.listdir(tmp_path)) == [REMAINS, "file"]


def test_links_among_the_remains_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("text")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / REMAINS).symlink_to(tmp_path / "precious")
    write_file(tmp_path / "out" / "file", "text")
    assert (tmp_path / "precious" / "file").exists()


def test_scratch_folders_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").write_text("text")
    assert not os.listdir(tmp_path)


def test_a_folder_appears_filled_or_not_at_all(tmp_path: Path) -> None:
    def fill(text: str, error: Exception | None) -> None:
        with new_folder(tmp_path / "entry") as folder:
            (folder / "file").write_text(text)
            if error is not None:
                raise error

    with pytest.raises(ValueError, match="broken"):
        fill("half", ValueError("broken"))
    assert os.listdir(tmp_path) == []
    fill("first", None)
    fill("second", None)
    assert (tmp_path / "entry" / "file").read_text() == "first"
    assert os.listdir(tmp_path) == ["entry"]


WRITER = """
import sys
from pathlib import Path
from predictor.files import new_folder, scratch_folder, sweep, write_file

folder = Path(sys.argv[1])
print("ready", flush=True)
while True:
    sweep.cache_clear()
    for text in "ab":
        write_file(folder / "file", text * 1_000_000)
    with scratch_folder() as scratch, new_folder(folder / "entry") as entry:
        write_file(entry / "file", "x")
        (scratch / "file").write_text("x")
"""


def test_the_place_of_scratch_folders_is_found_without_writing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setenv("TEMP", str(tmp_path))
    monkeypatch.setattr("tempfile._get_default_tempdir", lambda: pytest.fail("wrote a probe"))
    monkeypatch.setattr("tempfile.tempdir", None)
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
    assert os.listdir(tmp_path) == []


def test_killed_at_any_time_no_file_is_torn_and_nothing_stays(tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    for folder in (out, temporary):
        folder.mkdir()
    for number in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(out)],
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.005 * (number % 7))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if (out / "file").exists():
            content = (out / "file").read_text()
            assert content in ("a" * 1_000_000, "b" * 1_000_000)
        if (out / "entry").exists():
            assert (out / "entry" / "file").read_text() == "x"
    sweep.cache_clear()
    write_file(out / "file", "end")
    assert set(os.listdir(out)) <= {"file", "entry"}
    sweep(temporary, "mcu-predictor-scratch.")
    assert os.listdir(temporary) == []
