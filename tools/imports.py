"""Which module of this repository imports which, as their sources say."""

from __future__ import annotations

import ast
import re
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


_TEXT = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""')
_STATEMENT = re.compile(
    r"^[ \t]*(from [.\w]+ import (?:\([^)]*\)|[^(\n]+)|import [^\n]+)", re.MULTILINE
)


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Dotted names of all modules that a file imports, wherever in the file.

    Only these statements are parsed: whole files take ten times as long.
    """
    found: set[str] = set()
    text = _TEXT.sub("", path.read_text(encoding="utf-8"))
    for statement in _STATEMENT.findall(text):
        (node,) = ast.parse(statement).body
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def module_name(path: Path) -> str:
    """Dotted name of a module of this repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def without_packages(imported: AbstractSet[str]) -> frozenset[str]:
    """Modules, without packages that are named only to import a module of theirs."""
    packages = {name.rpartition(".")[0] for name in imported}
    return frozenset(imported - packages)
