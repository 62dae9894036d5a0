"""Writes the files of a project, and never over what its user changed.

A manifest in the folder holds a digest of each file as it was written. A file that still has it is
ours to write again or to remove; any other is its user's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from predictor.errors import OutputError
from predictor.files import write_file

MANIFEST = ".predict-export.json"
_FORM = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a project's files, by their paths in it.

    ``kept`` are files that their user changed: what was to be written is not what they hold.
    """

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]

    def told(self, width: int) -> list[str]:
        """Lines for people, their words behind labels of a width."""
        counts = (
            f"{len(self.written)} written, {len(self.unchanged)} as they were, "
            f"{len(self.removed)} removed"
        )
        kept = [f"{'kept':{width}}{path}: you changed it" for path in self.kept]
        return [f"{'files':{width}}{counts}", *kept]


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Written:
    """Writes a project's files into a folder, which is made if missing.

    Raises:
        OutputError: a file cannot be written.
    """
    before = _manifest(folder)
    written, unchanged, kept, removed = [], [], [], []
    digests: dict[str, str] = {}
    for name, content in sorted(files.items()):
        path = folder / name
        found = _read(path)
        if found == content:
            unchanged.append(name)
        elif found is None or before.get(name) == _digest(found):
            _make_parent(path)
            write_file(path, content)
            written.append(name)
        else:
            kept.append(name)
            digests[name] = before.get(name, "")
            continue
        digests[name] = _digest(content)
    for name in sorted(before.keys() - files.keys()):
        found = _read(folder / name) if _is_inside(name) else None
        if found is not None and _digest(found) == before[name]:
            (folder / name).unlink()
            removed.append(name)
    manifest = json.dumps({"form": _FORM, "files": digests}, indent=1) + "\n"
    if _read(folder / MANIFEST) != manifest.encode():
        write_file(folder / MANIFEST, manifest)
    return Written(tuple(written), tuple(unchanged), tuple(kept), tuple(removed))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot read {path}, which is to be written: {error}") from error


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {path.parent}: {error.strerror}") from error


def _manifest(folder: Path) -> dict[str, str]:
    """Digests by path; none where there is no manifest, or one that is not ours."""
    raw = _read(folder / MANIFEST)
    if raw is None:
        return {}
    try:
        content = json.loads(raw)
        if content["form"] != _FORM:
            return {}
        return {str(name): str(digest) for name, digest in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
