"""Revisions of TFLM as data: the structs they keep in the arena and the rules that hold.

A revision is a folder under ``revisions/``. Its ``revision.toml`` names the commit, the target ABI,
the rules and the kernel sets; this and the other files describe the structs of the runtime and of
the kernels. A revision with a ``base`` says only in what it differs from that one. One that ships
without TF_LITE_STATIC_MEMORY, which makes TfLiteTensors and nodes larger, goes with ``+static``
behind its name for builds that define it. A month of upstream that is not known goes for the last
one before it that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.cores.core import Core, find_core
from predictor.errors import RevisionError
from predictor.kernel_sets import BEST, kernel_set_name, left_operators
from predictor.memory.abi import ABIS, StructLayouts
from predictor.operators.kernel_set import KernelSet, overlay
from predictor.records import dataclass

DEFAULT_REVISION = "2026.08"
STATIC = "+static"
_DEVICE_ABI = "arm-eabi"
_FOLDER = Path(__file__).parent / "revisions"
_MONTH = re.compile(r"20\d\d\.(0[1-9]|1[0-2])")


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
    ``is_static``: whether it is built with TF_LITE_STATIC_MEMORY. ``source``: the repository that
    ships it; ``commit``: that of upstream TFLM which it is; ``note``: what to know of its figures.
    """

    name: str
    commit: str
    title: str
    flow: str
    kernel_set: KernelSet
    core: Core
    rules: Rules
    structs: StructLayouts
    is_static: bool
    source: str
    cmsis_nn_version: str
    note: str = ""

    @property
    def kernels(self) -> str:
        """Name of the kernel set."""
        return self.kernel_set.name


def revision_names() -> tuple[str, ...]:
    """Names of the revisions that ship with the package."""
    return tuple(sorted(variant for name in _folders() for variant in _variants(name)))


def device_revisions() -> tuple[str, ...]:
    """Names of those for microcontrollers, not for a host."""
    return tuple(name for name in revision_names() if _header(name)["abi"] == _DEVICE_ABI)


def _folders() -> Iterator[str]:
    return (path.parent.name for path in _FOLDER.glob("*/revision.toml"))


def _variants(name: str) -> tuple[str, ...]:
    is_static: bool = _own_header(name)["static_memory"]
    return (name,) if is_static else (name, name + STATIC)


@cache
def known_name(name: str) -> str:
    """The revision that goes for a name: of a month of upstream that is not known, the last one
    before it that is. Any other name stays as it is."""
    if not _MONTH.fullmatch(name):
        return name
    earlier = [known for known in _folders() if _MONTH.fullmatch(known) and known <= name]
    return max(earlier, default=name)


def kernel_sets(name: str) -> tuple[str, ...]:
    """The kernel sets of a revision, that which it is predicted with by default first.

    Raises:
        RevisionError: no such revision.
    """
    return tuple(_header(name)["kernel_sets"])


def revision_mark(name: str) -> str:
    """A file, below the folder that holds ``tensorflow/``, by which a tree of this TFLM is told
    from one with the same sources; empty where there is none.

    Raises:
        RevisionError: no such revision.
    """
    mark: str = _header(name).get("mark", "")
    return mark


def revision_folder(name: str) -> Path:
    """Where the description of a revision lies."""
    return _FOLDER / known_name(name).removesuffix(STATIC)


def load_revision(
    name: str = DEFAULT_REVISION, kernels: str | None = None, core: Core | None = None
) -> Revision:
    """Loads a revision with a kernel set, by default the first that it has, for a core.

    Raises:
        RevisionError: no such revision, or it lacks the kernel set.
    """
    known = known_name(name)
    if kernels is None:
        kernels = kernel_sets(known)[0]
    found = _load(known, kernel_set_name(kernels), core or find_core())
    return found if known == name else _standing_in(found, name)


@cache
def _standing_in(revision: Revision, name: str) -> Revision:
    """A known revision for one that is not; its note says so."""
    words = (
        f"TFLM {name} is not known: {revision.name} stands in, the last before it that is; what "
        "changed in between is not predicted"
    )
    return replace(revision, note=f"{words}; {revision.note}" if revision.note else words)


@cache
def _header(name: str) -> dict[str, Any]:
    """What ``revision.toml`` says, with what it leaves out as in the base's."""
    name = known_name(name)
    shipped_name = name.removesuffix(STATIC)
    if shipped_name not in _folders() or name not in _variants(shipped_name):
        known = ", ".join(revision_names())
        raise RevisionError(f"unknown TFLM revision {name!r}; known: {known}")
    shipped = _own_header(shipped_name)
    if name == shipped_name:
        return shipped
    return {
        **shipped,
        "title": f"{shipped['title']}, built with TF_LITE_STATIC_MEMORY",
        "static_memory": True,
        "absent": [*shipped.get("absent", ()), *shipped.get("absent_with_static_memory", ())],
    }


def _file(name: str) -> Path:
    return _FOLDER / name / "revision.toml"


@cache
def _own_header(name: str) -> dict[str, Any]:
    own = _load_toml(_file(name))
    base = _own_header(own["base"]) if "base" in own else {}
    return {**base, **own, "rules": {**base.get("rules", {}), **own.get("rules", {})}}


def lineage(name: str) -> Iterator[str]:
    """The revision, its base, the base of that, and so on.

    Raises:
        RevisionError: no such revision.
    """
    _header(name)
    base: str | None = known_name(name).removesuffix(STATIC)
    while base is not None:
        yield base
        base = _load_toml(_file(base)).get("base")


def best_of(name: str) -> str:
    """The kernel set of which ``best`` takes what is cheaper than the library's kernels.

    Raises:
        RevisionError: no such revision, or it has no two kernel sets to choose from.
    """
    header = _header(name)
    found: str = header.get(BEST, "")
    if found not in header["kernel_sets"]:
        raise RevisionError(
            f"TFLM revision {name} leaves nothing to choose: --kernels {BEST} takes "
            f"{DEFAULT_REVISION}"
        )
    return found


@cache
def _kernel_set(name: str, kernels: str) -> KernelSet:
    header = _header(name)
    base, left = left_operators(kernels)
    sets = header["kernel_sets"]
    table = sets.get(base, {})
    own = table.get("of", base)
    overlays = tuple(map(overlay, sets[own]["overlays"])) if own in sets else ()
    could_serve = frozenset().union(*(item.names() for item in overlays if "on" in table))
    if not overlays or not left <= could_serve:
        known = ", ".join(sets)
        raise RevisionError(f"TFLM revision {name} has no kernel set {kernels!r}; known: {known}")
    return KernelSet(
        name=kernels,
        overlays=overlays,
        on=_kernel_set(name, table["on"]) if "on" in table else None,
        left=left,
        own=own,
        absent=frozenset(header.get("absent", ())),
        like=table.get("like"),
    )


@cache
def _load(name: str, kernels: str, core: Core) -> Revision:
    header, kernel_set = _header(name), _kernel_set(name, kernels)
    return Revision(
        name=name,
        commit=header["commit"],
        title=header["title"],
        flow=header["flow"],
        kernel_set=kernel_set,
        core=core,
        rules=Rules(**header["rules"]),
        structs=_structs(name, kernel_set.library.name),
        is_static=header["static_memory"],
        source=header["source"],
        cmsis_nn_version=header.get("cmsis_nn_version", ""),
        note=header.get("note", ""),
    )


@cache
def _structs(name: str, library: str) -> StructLayouts:
    """The structs of a library's kernel set: those of a base, then those that are its own.

    A kernel set that is ``like`` another one replaces some of that one's.
    """
    below = _header(name)["kernel_sets"][library].get("like")
    sets = [library] if below is None else [below, library]
    layers: list[Mapping[str, Sequence[str]]] = []
    for revision in reversed([*lineage(name)]):
        files = [_load_toml(path) for path in sorted((_FOLDER / revision).glob("*.toml"))]
        layers += [tables.get("structs", {}) for tables in files]
        layers += [tables.get(each, {}) for each in sets for tables in files]
        if not _header(name)["static_memory"]:
            layers += [tables.get("structs_without_static_memory", {}) for tables in files]
    return StructLayouts(ABIS[_header(name)["abi"]], *layers)


@cache
def _load_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return toml.load(file)
