"""Which TFLM a command is about: one that it names, or the one that the user registered.

``predict tflm use`` writes down where the user's TFLM is and what was read from it. It is read
again when a library has changed since.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.errors import MissingDependencyError, UsageError
from predictor.firmware.user_folders import user_folder

if TYPE_CHECKING:
    from predictor.firmware.tflm_library import Tflm
    from predictor.firmware.user_tflm import UserTflm

CONFIG_VARIABLE = "MCU_PREDICTOR_CONFIG"
_FILE = "tflm.json"
_FORM = 1


def registration_file() -> Path:
    """Where the registration is kept.

    The environment variable ``MCU_PREDICTOR_CONFIG`` names another folder than the user's own.
    """
    override = os.environ.get(CONFIG_VARIABLE)
    if override:
        return Path(override).expanduser() / _FILE
    return user_folder("config") / _FILE


def registration_text(tflm: UserTflm, is_given: bool) -> str:
    """What the file says of a TFLM; ``is_given``: whether its user named the revision."""
    content = asdict(tflm) | {
        "form": _FORM,
        "is_given": is_given,
        "stamps": [_stamp(library.path) for library in tflm.libraries],
    }
    return json.dumps(content, indent=2, default=_plain) + "\n"


def _plain(value: object) -> object:
    """JSON has no sets and no paths."""
    return sorted(value) if isinstance(value, frozenset) else str(value)


def registered_tflm() -> UserTflm | None:
    """The TFLM that the user registered.

    Raises:
        UsageError: it is gone or cannot be read any more; says what to do.
    """
    file = registration_file()
    if not file.is_file():
        return None
    from predictor.firmware.user_tflm import read_user_tflm

    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        folder, revision = Path(content["folder"]), content["tree"]["name"]
        is_given = bool(content["is_given"])
        if content["form"] == _FORM and _stamps(content) == content["stamps"]:
            return _from_json(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} is damaged ({error}): register TFLM again with predict tflm use, or remove it"
        ) from error
    try:
        return read_user_tflm(folder, revision if is_given else None)
    except UsageError as error:
        raise UsageError(
            f"the TFLM that was registered cannot be used: {error}; register another with predict "
            "tflm use, or none with predict tflm forget"
        ) from error


def _stamps(content: dict[str, Any]) -> list[list[int]]:
    return [_stamp(Path(library["path"])) for library in content["libraries"]]


def _stamp(path: Path) -> list[int]:
    """Changes when a library is built again; empty where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _from_json(content: dict[str, Any]) -> UserTflm:
    from predictor.firmware.tflm_sources import TreeRevision
    from predictor.firmware.user_tflm import UserLibrary, UserTflm

    tree = content["tree"]
    return UserTflm(
        Path(content["folder"]),
        Path(content["root"]),
        TreeRevision(str(tree["name"]), int(tree["sources"]), tuple(map(str, tree["changed"]))),
        tuple(
            UserLibrary(
                **{
                    **library,
                    "path": Path(library["path"]),
                    "extensions": frozenset(library["extensions"]),
                }
            )
            for library in content["libraries"]
        ),
    )


def user_tflm(revision: str | None, folder: Path | None) -> UserTflm | None:
    """The user's TFLM that a command is about, None where it is about a revision alone.

    Args:
        revision: that the command names.
        folder: of a TFLM that it names.

    Raises:
        UsageError: it cannot be used. RevisionError: it is another revision, or none that is known.
    """
    if folder is not None:
        from predictor.firmware.user_tflm import read_user_tflm

        return read_user_tflm(folder, revision)
    registered = registered_tflm()
    if registered is None or revision not in (None, registered.revision):
        return None
    return registered


def linkable_tflm(revision: str | None, folder: Path | None) -> Tflm:
    """The TFLM that a command links: the user's, or the packaged one.

    Raises:
        UsageError, RevisionError: as :func:`user_tflm`, or no such revision.
        MissingDependencyError: there is no TFLM of that revision here.
    """
    from predictor.firmware.packaged_tflm import PackagedTflm
    from predictor.memory.revision import kernel_sets

    users, packaged = user_tflm(revision, folder), PackagedTflm()
    if users is not None:
        return users
    if revision is None or revision == packaged.revision:
        return packaged
    kernel_sets(revision)  # an unknown one is an error of its own
    raise MissingDependencyError(
        f"there is no TFLM {revision} here to link: build one and name it with --tflm-dir, or once "
        "for all commands with predict tflm use (docs/howto/own-tflm.md)"
    )
