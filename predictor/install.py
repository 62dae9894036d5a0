"""How this project and its extras are installed. The name is on no package index: it is from a
clone of the repository."""

from __future__ import annotations


def install_command(extra: str = "") -> str:
    """The command that installs the package, with an extra where one is named."""
    what = f'".[{extra}]"' if extra else "."
    return f"pip install -e {what} (in your clone of the repository)"
