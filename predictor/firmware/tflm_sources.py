"""Which revision a tree of TFLM's sources is, by the sources that a prediction mirrors.

A revision's ``sources.toml`` holds a digest of each of these: allocator, planner, kernels, and the
functions of CMSIS-NN that size scratch buffers. Comments and white space do not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.memory.revision import revision_folder, revision_names

THIRD_PARTIES = (
    Path("tensorflow/lite/micro/tools/make/downloads"),
    Path("third_party"),
)
"""Where third parties lie, after TFLM's Makefile and in trees that its generator wrote."""
MIRRORED = (
    "tensorflow/lite/core/c/common.h",
    "tensorflow/lite/c/common.h",
    "tensorflow/lite/micro/memory_helpers.cc",
    "tensorflow/lite/micro/micro_allocat*.*",
    "tensorflow/lite/micro/micro_interpreter*.*",
    "tensorflow/lite/micro/micro_resource_variable.*",
    "tensorflow/lite/micro/simple_memory_allocator.*",
    "tensorflow/lite/micro/arena_allocator/*.*",
    "tensorflow/lite/micro/memory_planner/greedy_memory_planner.*",
    "tensorflow/lite/micro/kernels/*.*",
    "tensorflow/lite/micro/kernels/cmsis_nn/*.*",
    "signal/micro/kernels/*.*",
)
CMSIS_NN = "cmsis_nn"
MIRRORED_OF_CMSIS_NN = ("Source/*/arm_*get_buffer_size*.*",)
_SOURCES = (".cc", ".c", ".h")
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
    candidates = [_compared(name, _known(name), found) for name in revision_names()]
    best = max(candidates, key=lambda item: item.sources - len(item.changed))
    unchanged = best.sources - len(best.changed)
    return best if unchanged and unchanged >= _LEAST_SHARE * best.sources else None


def _compared(name: str, known: Mapping[str, str], found: Mapping[str, str]) -> TreeRevision:
    # Generated trees have the file of a kernel set in the place of the reference kernel's.
    equal = frozenset(known.values())
    judged = [path for path in known if path in found]
    return TreeRevision(
        name, len(judged), tuple(path for path in judged if found[path] not in equal)
    )


@cache
def _known(name: str) -> dict[str, str]:
    path = revision_folder(name) / "sources.toml"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        table: dict[str, str] = toml.load(file)["sources"]
    return table
