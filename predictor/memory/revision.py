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
from predictor.cores.core import Core, find_core
from predictor.errors import RevisionError
from predictor.memory.abi import ABIS, StructLayouts

DEFAULT_REVISION = "2026.08"
OURS = "ours"
"""The kernel set of the project's own kernels; other operators are TFLM's reference ones."""
_FOLDER = Path(__file__).parent / "revisions"


@dataclass(frozen=True)
class Rules:
    """Constants of the allocator. Units are bytes unless the name says otherwise.

    ``max_scratch_buffers_per_operator`` is 0 where there is no limit.
    """

    arena_alignment: int
    max_scratch_buffers_per_operator: int = 0


@dataclass(frozen=True, eq=False)
class Revision:
    """One TFLM revision on one core with one kernel set.

    ``flow`` names the generation of the allocator and of the kernels (:mod:`~.flow`).
    ``device_model`` says when a model needs a device model to run with the project's own kernels:
    "always" where they cannot be registered for builtin operators, or "where_needed".
    """

    name: str
    commit: str
    title: str
    flow: str
    kernels: str
    core: Core
    rules: Rules
    structs: StructLayouts
    device_model: str = ""


def revision_names() -> tuple[str, ...]:
    """Names of the revisions that ship with the package."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob("*/revision.toml")))


def kernel_sets(name: str) -> tuple[str, ...]:
    """The kernel sets of a revision, that which it is predicted with by default first.

    Raises:
        RevisionError: no such revision.
    """
    return tuple(map(str, _header(name)["kernel_sets"]))


def revision_folder(name: str) -> Path:
    """Where the description of a revision lies."""
    return _FOLDER / name


def _load_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return toml.load(file)


def load_revision(
    name: str = DEFAULT_REVISION, kernels: str | None = None, core: Core | None = None
) -> Revision:
    """Loads a revision with a kernel set, by default the first that it has, for a core.

    Raises:
        RevisionError: no such revision, or it lacks the kernel set.
    """
    header = _header(name)
    if kernels is None:
        kernels = str(header["kernel_sets"][0])
    return _load(name, kernels, core or find_core())


@cache
def _header(name: str) -> dict[str, Any]:
    if name not in revision_names():
        known = ", ".join(revision_names())
        raise RevisionError(f"unknown TFLM revision {name!r}; known: {known}")
    return _load_toml(_FOLDER / name / "revision.toml")


@cache
def _load(name: str, kernels: str, core: Core) -> Revision:
    header = _header(name)
    if kernels not in header["kernel_sets"]:
        known = ", ".join(header["kernel_sets"])
        raise RevisionError(f"TFLM revision {name} has no kernel set {kernels!r}; known: {known}")
    return Revision(
        name=name,
        commit=header["commit"],
        title=header["title"],
        flow=header["flow"],
        kernels=kernels,
        core=core,
        rules=Rules(**header["rules"]),
        structs=_structs(name, kernels),
        device_model=header.get("device_model", ""),
    )


@cache
def _structs(name: str, kernels: str) -> StructLayouts:
    header = _header(name)
    common: dict[str, list[str]] = {}
    specific: dict[str, list[str]] = {}
    for path in sorted((_FOLDER / header.get("structs_of", name)).glob("*.toml")):
        tables = _load_toml(path)
        common.update(tables.get("structs", {}))
        specific.update(tables.get("reference" if kernels == OURS else kernels, {}))
    return StructLayouts(ABIS[header["abi"]], common, specific)
