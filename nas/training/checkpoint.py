"""Checkpoints: everything a training needs to go on as if it had not stopped."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.errors import OutputError, UsageError
from predictor.files import write_file

Arrays = dict[str, npt.NDArray[Any]]
_STATE = "__state__"


def save_checkpoint(path: Path, arrays: Arrays, state: dict[str, Any]) -> None:
    """Writes arrays and a JSON-able state, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    content = io.BytesIO()
    encoded = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    np.savez(content, **arrays, **{_STATE: encoded})  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())


def load_checkpoint(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """What :func:`save_checkpoint` wrote.

    Raises:
        UsageError: no checkpoint, or a damaged one.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop(_STATE).tobytes())
    except FileNotFoundError as error:
        raise UsageError(f"there is no checkpoint {path}") from error
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"checkpoint {path} is damaged; start the run anew: {error}") from error
    return arrays, state


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all, in a folder that is made if missing.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    write_file(path, content)
