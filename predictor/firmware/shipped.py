"""Folders that ship beside the package: sources that other tools read as files."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from predictor.errors import EmulationError
from predictor.install import install_command

_SHARE = Path("share") / "mcu-predictor"


def shipped_folder(name: str) -> Path:
    """A folder of the repository, in a checkout or where the package was installed.

    Raises:
        EmulationError: there is none.
    """
    candidates = [Path(__file__).resolve().parents[2] / name]
    schemes = {sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")}
    candidates += [Path(sysconfig.get_path("data", scheme)) / _SHARE / name for scheme in schemes]
    # Installed with pip's --target or --prefix: beside or above the package.
    candidates += [parent / _SHARE / name for parent in Path(__file__).resolve().parents[2:6]]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise EmulationError(f"the folder {name} is not installed: {install_command()}")
