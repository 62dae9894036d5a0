"""Files and folders that appear whole or not at all, and leave nothing behind.

What is being written has a name of its own and is locked by its writer. The lock goes with the
process, however it ends; so whoever writes to the same place next removes what a killed one left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from predictor.errors import OutputError

_PARTIAL = ".mcu-predictor-partial."
_SCRATCH = "mcu-predictor-scratch."
_TEMPORARY = ("/tmp", "/var/tmp")
_MOST_LINKS = 40
_ATTEMPTS = 100


def write_file(path: Path, content: str | bytes) -> None:
    """Writes a file so that readers see the old content or the new, never a part.

    A file keeps its mode and owner; a symbolic link keeps pointing to the file, which changes. What
    is no regular file, such as a device or a named pipe, is written to. Text becomes UTF-8.

    Raises:
        OutputError: the file cannot be written.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    try:
        place = _followed(path)
        found = _status(place)
        if _is_stream(place, found):
            _pour(place, data)
        else:
            _replace(place, data, found)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    except ValueError as error:  # a zero byte in the name
        raise OutputError(f"cannot write {str(path)!r}: {error}") from error


def _followed(path: Path) -> Path:
    """Where a path leads, but not through the links of /proc, which stand for open files."""
    place = path
    for _ in range(_MOST_LINKS):
        place = Path(os.path.realpath(place.parent)) / place.name
        if place.parts[1:2] == ("proc",) or not place.is_symlink():
            return place
        place = place.parent / os.readlink(place)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _status(place: Path) -> os.stat_result | None:
    try:
        return os.stat(place)
    except FileNotFoundError:
        return None


def _is_stream(place: Path, found: os.stat_result | None) -> bool:
    is_open_file = place.parts[1:2] == ("proc",)
    return is_open_file or (found is not None and not stat.S_ISREG(found.st_mode))


def _pour(place: Path, data: bytes) -> None:
    """Writes to a device, a pipe or an open file. Standard output is not opened anew, which would
    lose what a shell has appended to it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not a real one
            if os.path.samestat(os.stat(place), os.fstat(stream.fileno())):
                stream.flush()
                with open(stream.fileno(), "wb", closefd=False) as file:
                    file.write(data)
                return
    with open(place, "wb") as file:
        file.write(data)


def _replace(place: Path, data: bytes, found: os.stat_result | None) -> None:
    if found is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    sweep(place.parent)
    temporary, handle = _new_locked(place.parent, _PARTIAL, _new_file)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if found is None:
                os.fchmod(handle, 0o666 & ~_umask())
            else:
                with contextlib.suppress(OSError):  # another's file in a folder of ours
                    os.fchown(handle, found.st_uid, found.st_gid)
                os.fchmod(handle, stat.S_IMODE(found.st_mode))
            file.flush()
            os.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the time of the block, among the system's temporary files."""
    with _temporary_folder(temporary_parent(), _SCRATCH) as folder:
        yield folder


def temporary_parent() -> Path:
    """Where temporary files belong, found without writing one as ``tempfile`` does, which a kill
    would leave there."""
    for place in (*(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")), *_TEMPORARY):
        if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(os.path.abspath(place))
    import tempfile  # knows the places of other systems; loads much

    return Path(tempfile.gettempdir())


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``path`` once the block has ended without an error.

    Another process may fill the same one at the same time: the first to finish wins. It takes its
    name under the lock of the folder around it, which whoever removes it holds, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(path.parent, _PARTIAL) as folder:
        filled = folder / "entry"
        filled.mkdir()
        yield filled
        with locked(path.parent):
            try:
                filled.rename(path)
            except OSError:
                if not path.is_dir():
                    raise


def remove_folder(path: Path) -> None:
    """Removes a folder at once: under its name, nobody sees a part of it.

    Raises:
        FileNotFoundError: there is none.
    """
    with _temporary_folder(path.parent, _PARTIAL) as folder:
        path.rename(folder / "removed")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds other processes back that want the same lock, where the file system has locks."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Lets those who would make the same file or folder do so one after the other.

    A later one finds what the first has made, so it should look again. Where the file system has
    no locks, nobody waits.
    """
    place = path.parent / f"{_PARTIAL}turn.{path.name}"
    handle = _wait_for(place)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                os.unlink(place)
            os.close(handle)


def _wait_for(place: Path) -> int | None:
    """The open handle of a file that this process has locked; None where there are no locks."""
    with contextlib.suppress(ImportError, OSError):  # another user's file, too
        import fcntl

        while True:
            handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if _is_at(place, handle):  # else who had it has removed it
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
    return None


@contextlib.contextmanager
def _temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    sweep(parent, prefix)
    folder, handle = _new_locked(parent, prefix, _make_folder)
    try:
        yield folder
    finally:
        _remove_tree(folder)
        os.close(handle)


def _remove_tree(path: str | os.PathLike[str]) -> None:
    if sys.is_finalizing():  # nothing can be imported any more; the next process sweeps
        return
    import shutil  # loads much, as tempfile does

    shutil.rmtree(path, ignore_errors=True)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _make_folder(path: Path) -> int:
    path.mkdir(mode=0o700)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _new_locked(parent: Path, prefix: str, make: Callable[[Path], int]) -> tuple[Path, int]:
    """A new file or folder with a lock that others see, and its open handle."""
    for _ in range(_ATTEMPTS):
        path = parent / f"{prefix}{os.urandom(8).hex()}"
        handle = make(path)
        # Before it is locked, another process may take it for one left behind.
        is_locked = _lock(handle)
        if is_locked is None or (is_locked and _is_at(path, handle)):
            return path, handle
        os.close(handle)
    raise OSError(errno.EAGAIN, f"files that begin with {prefix} vanish from {parent}")


def _is_at(path: Path, handle: int) -> bool:
    found = _status(path)
    return found is not None and os.path.samestat(found, os.fstat(handle))


def _lock(handle: int) -> bool | None:
    """Whether the handle got the lock; None where the system or the file system has none."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


@cache
def sweep(parent: Path, prefix: str = _PARTIAL) -> None:
    """Removes what processes that have ended left in a folder; looks once a process."""
    with contextlib.suppress(OSError):
        left = [entry for entry in os.scandir(parent) if entry.name.startswith(prefix)]
        for entry in left:
            _remove_if_left(entry)


def _remove_if_left(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        # Others' files in a shared folder are theirs to remove; a link is none of ours.
        if entry.stat(follow_symlinks=False).st_uid != os.getuid():
            return
        handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not _lock(handle):
                return
            if entry.is_dir(follow_symlinks=False):
                _remove_tree(entry.path)
            else:
                os.unlink(entry.path)
        finally:
            os.close(handle)
