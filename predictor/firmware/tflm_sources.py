"""Which revision a tree of TFLM's sources is, by the sources that a prediction mirrors.

A revision's ``sources.toml`` holds a digest of each of these: allocator, planner, kernels, and the
functions of CMSIS-NN that size scratch buffers. Comments and white space do not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.firmware.op_resolver import registrations
from predictor.memory.revision import (
    STATIC,
    Revision,
    device_revisions,
    lineage,
    load_revision,
    revision_folder,
    revision_mark,
    revision_names,
)
from predictor.records import dataclass

THIRD_PARTIES = (
    Path("tensorflow/lite/micro/tools/make/downloads"),
    Path("third_party"),
    Path("third_party_static"),
)
"""Where third parties lie: after TFLM's Makefile, in trees of its generator, in Zephyr's."""
MIRRORED = (
    "tensorflow/lite/core/c/common.h",
    "tensorflow/lite/c/common.h",
    "tensorflow/lite/micro/memory_helpers.c*",
    "tensorflow/lite/micro/micro_allocat*.*",
    "tensorflow/lite/micro/micro_interpreter*.*",
    "tensorflow/lite/micro/micro_resource_variable.*",
    "tensorflow/lite/micro/simple_memory_allocator.*",
    "tensorflow/lite/micro/arena_allocator/*.*",
    "tensorflow/lite/micro/*arena_buffer_allocator.*",
    "tensorflow/lite/micro/memory_planner/greedy_memory_planner.*",
    "tensorflow/lite/micro/kernels/*.*",
    "tensorflow/lite/micro/kernels/cmsis_nn/*.*",
    "tensorflow/lite/micro/kernels/esp_nn/*.*",
    "signal/micro/kernels/*.*",
)
CMSIS_NN = "cmsis_nn"
MIRRORED_OF_CMSIS_NN = ("Source/*/arm_*get_buffer_size*.*",)
_SOURCES = (".cc", ".cpp", ".c", ".h")
_LEFT_OUT = re.compile(r"_test\.|_test_|test_util|generated_data|kernel_runner")
_LEAST_SHARE = 0.5
"""Of the sources, that a revision must have for a tree to be taken for it."""
_INSIGNIFICANT = re.compile(rb"//[^\n]*|/\*.*?\*/|\s+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TreeRevision:
    """The revision that a tree is most like. ``changed`` are its sources that differ from it."""

    name: str
    sources: int
    changed: tuple[str, ...]

    def with_static_memory(self) -> TreeRevision:
        """The same of a build with TF_LITE_STATIC_MEMORY, where the revision ships without."""
        name = self.name + STATIC
        return replace(self, name=name) if name in revision_names() else self


def digests(root: Path) -> dict[str, str]:
    """Digest of each mirrored source of a tree, by its path below ``root`` or in CMSIS-NN."""
    places: list[tuple[Path, tuple[str, ...], str]] = [(root, MIRRORED, "")]
    places += [
        (root / party / CMSIS_NN, MIRRORED_OF_CMSIS_NN, f"{CMSIS_NN}/") for party in THIRD_PARTIES
    ]
    return {
        prefix + path.relative_to(folder).as_posix(): _digest(path)
        for folder, patterns, prefix in places
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
        if path.suffix in _SOURCES and not _LEFT_OUT.search(path.name)
    }


def _digest(path: Path) -> str:
    text = _INSIGNIFICANT.sub(b"", path.read_bytes())
    return hashlib.sha256(text).hexdigest()[:12]


def compared_with(name: str, root: Path) -> TreeRevision:
    """A tree held against one revision."""
    return _compared(name, _known(name), digests(root))


def tree_revision(root: Path) -> TreeRevision | None:
    """The known revision that a tree is most like, None where it is like none."""
    found = digests(root)
    candidates = []
    for name in revision_names():
        mark, is_known = revision_mark(name), bool(_known(name))
        if is_known and not name.endswith(STATIC) and (not mark or (root / mark).exists()):
            # Of several that share their sources, the one whose mark is there.
            candidates.append((bool(mark), _compared(name, _known(name), found)))
    _, best = max(candidates, key=lambda item: (item[1].sources - len(item[1].changed), item[0]))
    unchanged = best.sources - len(best.changed)
    return best if unchanged and unchanged >= _LEAST_SHARE * best.sources else None


def nearest_by_operators(symbols: Iterable[str]) -> str:
    """The revision whose builtin operators are most like those that a library registers.

    Of several that are equally like it, the newest.
    """
    registered = {name.removeprefix("Register_") for name in registrations(symbols)}
    known = {name: _builtin(load_revision(name)) for name in device_revisions()}
    every = frozenset().union(*known.values())
    return max(
        (name for name in known if not name.endswith(STATIC)),
        key=lambda name: (-len(known[name] ^ (registered & every)), name),
    )


def _builtin(revision: Revision) -> frozenset[str]:
    return frozenset(name for name in revision.kernel_set.operator_names if name.isupper())


def _compared(name: str, known: Mapping[str, str], found: Mapping[str, str]) -> TreeRevision:
    # Generated trees have the file of a kernel set in the place of the reference kernel's.
    equal = frozenset(known.values())
    judged = [path for path in known if path in found]
    return TreeRevision(
        name, len(judged), tuple(path for path in judged if found[path] not in equal)
    )


@cache
def _known(name: str) -> dict[str, str]:
    """Digests of a revision; where it has none of its own, those of its base with its kernels."""
    for path in (revision_folder(name) / "sources.toml" for name in lineage(name)):
        if path.exists():
            with path.open("rb") as file:
                table: dict[str, str] = toml.load(file)["sources"]
            return table
    return {}
