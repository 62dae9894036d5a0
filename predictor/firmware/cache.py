"""The cache of what was built: folders that are whole, or made anew.

Each folder holds the digests of its files. A disk that was full, a machine that went down or a
program that cleans up may damage it; a damaged folder is removed and filled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from predictor.errors import EmulationError
from predictor.files import locked, new_folder, remove_folder, sweep, turn
from predictor.firmware.user_folders import user_folder

CACHE_VARIABLE = "MCU_PREDICTOR_CACHE"
_SEAL = "digests.json"


def cache_dir() -> Path:
    """Where built libraries and firmware are kept.

    The environment variable ``MCU_PREDICTOR_CACHE`` names another place than the user's cache.
    """
    override = os.environ.get(CACHE_VARIABLE)
    if override:
        return Path(override).expanduser().resolve()
    return user_folder("cache")


def cached(path: Path, fill: Callable[[Path], None], *, trusts_times: bool = False) -> Path:
    """A folder of the cache, which ``fill`` fills if it is not there or damaged.

    Other processes may do the same at the same time: they wait for the first, whose folder they
    find.

    Args:
        trusts_times: files whose size and time of change are as they were are not read again; for
            folders of many files.

    Raises:
        EmulationError: what is written is not what is read.
    """
    sweep(path.parent)
    if _is_whole(path, trusts_times):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with turn(path):
        if _is_whole(path, trusts_times):
            return path
        _remove_damaged(path, trusts_times)
        with new_folder(path) as folder:
            fill(folder)
            _seal(folder)
    if not _is_whole(path, trusts_times):
        raise EmulationError(f"{path} is damaged as soon as it is written: check the disk")
    return path


def _seal(folder: Path) -> None:
    digests = {
        path.relative_to(folder).as_posix(): [*_times(path), _digest(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / _SEAL).write_text(json.dumps(digests), encoding="utf-8")


def _is_whole(folder: Path, trusts_times: bool) -> bool:
    """Whether all files that were there when the folder was filled are as they were."""
    try:
        digests: dict[str, Any] = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        return all(
            (trusts_times and _times(folder / name) == times) or _digest(folder / name) == digest
            for name, (*times, digest) in digests.items()
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _times(path: Path) -> list[int]:
    """Size and time of change in nanoseconds."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove_damaged(path: Path, trusts_times: bool) -> None:
    """Removes a damaged folder, unless another process has put a whole one in its place."""
    with locked(path.parent), contextlib.suppress(FileNotFoundError):
        if not _is_whole(path, trusts_times):
            remove_folder(path)
