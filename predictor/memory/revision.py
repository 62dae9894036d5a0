"""Revisions of TFLM as data: the structs they keep in the arena and the rules that hold.

A revision is a folder under ``revisions/``: ``revision.toml`` names the commit, the target ABI
and the rules; the other files describe the structs of the runtime and of the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.errors import RevisionError
from predictor.memory.abi import ABIS, StructLayouts

DEFAULT_REVISION = "2026.08"
KERNEL_SETS = ("cmsis_nn", "reference")
_FOLDER = Path(__file__).parent / "revisions"


@dataclass(frozen=True)
class Rules:
    """Constants of the allocator. Units are bytes unless the name says otherwise."""

    arena_alignment: int
    max_scratch_buffers_per_operator: int


@dataclass(frozen=True, eq=False)
class Revision:
    """One TFLM revision on one target with one kernel set."""

    name: str
    commit: str
    title: str
    kernels: str
    rules: Rules
    structs: StructLayouts


def revision_names() -> tuple[str, ...]:
    """Names of the revisions that ship with the package."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob("*/revision.toml")))


def _load_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return toml.load(file)


@cache
def load_revision(name: str = DEFAULT_REVISION, kernels: str = "cmsis_nn") -> Revision:
    """Loads a revision with a kernel set.

    Raises:
        RevisionError: no such revision, or it lacks the kernel set.
    """
    if name not in revision_names():
        known = ", ".join(revision_names())
        raise RevisionError(f"unknown TFLM revision {name!r}; known: {known}")
    header = _load_toml(_FOLDER / name / "revision.toml")
    if kernels not in header["kernel_sets"]:
        known = ", ".join(header["kernel_sets"])
        raise RevisionError(f"TFLM revision {name} has no kernel set {kernels!r}; known: {known}")
    common: dict[str, list[str]] = {}
    specific: dict[str, list[str]] = {}
    for path in sorted((_FOLDER / header.get("structs_of", name)).glob("*.toml")):
        tables = _load_toml(path)
        common.update(tables.get("structs", {}))
        specific.update(tables.get(kernels, {}))
    return Revision(
        name=name,
        commit=header["commit"],
        title=header["title"],
        kernels=kernels,
        rules=Rules(**header["rules"]),
        structs=StructLayouts(ABIS[header["abi"]], common, specific),
    )
