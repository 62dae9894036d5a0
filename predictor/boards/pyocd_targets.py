"""Memories of chips that pyOCD knows, from its database of targets (``pyocd list --targets``).

The database says nothing of core and clock: a probe reads the one from the chip, and needs not the
other.
"""

from __future__ import annotations

from typing import Any

from predictor.boards.cmsis_pack import PackDevice, PackMemory
from predictor.errors import BoardError, MissingDependencyError
from predictor.install import install_command
from predictor.words import meant

_KINDS = {"FLASH": "flash", "RAM": "sram"}


def read_target(name: str) -> PackDevice:
    """The chip of this name, with its memories and nothing else.

    Raises:
        BoardError: pyOCD has no such target, or no memories of it.
        MissingDependencyError: pyOCD is not installed.
    """
    try:
        from pyocd.target import BUILTIN_TARGETS
    except ImportError as error:
        raise MissingDependencyError(
            f"pyOCD is not installed: {install_command('boards')}"
        ) from error
    target = BUILTIN_TARGETS.get(name.lower())
    if target is None:
        hint = meant(name.lower(), BUILTIN_TARGETS)
        raise BoardError(f"pyOCD has no target {name!r}: {hint}pyocd list --targets names all")
    memories = tuple(map(_memory, filter(_is_memory, getattr(target, "MEMORY_MAP", ()))))
    if {memory.kind for memory in memories} != set(_KINDS.values()):
        raise BoardError(
            f"pyOCD does not know the memories of {name}: give them with --flash and --ram"
        )
    return PackDevice(name.upper(), core="", fpu="", clock_hz=None, memories=memories)


def _is_memory(region: Any) -> bool:
    """Whether programs have it: not ROM, nor an alias, nor a page of configuration."""
    is_alias = region.attributes.get("alias") is not None
    return region.type.name in _KINDS and region.is_testable and not is_alias


def _memory(region: Any) -> PackMemory:
    kind = _KINDS[region.type.name]
    return PackMemory(region.name or kind, kind, hex(region.start), region.length)
