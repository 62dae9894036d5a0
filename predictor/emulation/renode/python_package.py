"""The Python package pyrenode3: whether there is a Renode behind it, and how it finds it.

The package alone is no Renode. Its environment names one, exactly one, as pyrenode3's ``env.py``
has it: a portable program, a package or a folder where Renode was built.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

NAMES = ("PYRENODE_BIN", "PYRENODE_PKG", "PYRENODE_BUILD_DIR")
_RUNTIME = "PYRENODE_RUNTIME"
_HOST_LIBRARIES = "libhostfxr.*"
"""Stand beside a portable program (``renode-*-portable``) and no other."""
_BUILT = Path("output/bin/Release/Renode.dll")
"""Stands below the script ``renode`` of a folder where Renode was built."""


def environment() -> dict[str, str] | None:
    """Variables for a process that imports pyrenode3; None where it would find no Renode.

    Where none of its variables is set, the Renode among the commands is taken, if pyrenode3 can
    load that. Renode is a .NET program, which pyrenode3 must be told.
    """
    if importlib.util.find_spec("pyrenode3") is None:
        return None
    runtime = {_RUNTIME: os.environ.get(_RUNTIME) or "coreclr"}
    if any(os.environ.get(name) for name in NAMES):
        return runtime
    command = shutil.which("renode")
    if command is None:
        return None
    program = Path(command).resolve()
    if any(program.parent.glob(_HOST_LIBRARIES)):
        return {**runtime, "PYRENODE_BIN": str(program)}
    if (program.parent / _BUILT).is_file():
        return {**runtime, "PYRENODE_BUILD_DIR": str(program.parent)}
    return None
