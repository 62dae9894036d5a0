"""What a prediction assumes beside the model and the board."""

from __future__ import annotations

from dataclasses import fields
from math import inf
from typing import TYPE_CHECKING, TypedDict

from predictor.cores.core import Core
from predictor.errors import UsageError
from predictor.memory.revision import DEFAULT_REVISION, Revision, load_revision
from predictor.records import dataclass

if TYPE_CHECKING:
    from typing_extensions import Unpack


class OptionKeywords(TypedDict, total=False):
    """The fields of :class:`Options` as keywords of functions."""

    kernels: str | None
    tflm: str
    resolver: str
    reserve_ram_bytes: int
    reserve_flash_bytes: int
    calibration: str | None
    resource_variables: int | None
    fps: float | None
    battery_j: float | None
    library_kernels: str | None
    memory: str | None
    persistent_memory: str | None


@dataclass(frozen=True)
class Options:
    """What a prediction assumes.

    Attributes:
        kernels: kernel set; "best" takes for each operator the cheaper of the project's own kernel
            and the library's. None: the project's own for device models, else ``library_kernels``.
        tflm: revision of TFLM.
        resolver: "used" links the operators that the model uses, "all" all of them.
        reserve_ram_bytes: RAM that the application needs beside the model.
        reserve_flash_bytes: the same of flash.
        calibration: one of the board's, None for the newest that matches.
        resource_variables: for how many the application makes room, None for the model's own.
        fps: inferences per second of the application, None where one follows the other.
        battery_j: what its battery holds.
        library_kernels: those of the TFLM library that the application links, None for the first
            that the revision has.
        memory: memory of the board that the arena lies in, None for any.
        persistent_memory: memory of an arena of its own for what is persistent, None for one arena.
    """

    kernels: str | None = None
    tflm: str = DEFAULT_REVISION
    resolver: str = "used"
    reserve_ram_bytes: int = 0
    reserve_flash_bytes: int = 0
    calibration: str | None = None
    resource_variables: int | None = None
    fps: float | None = None
    battery_j: float | None = None
    library_kernels: str | None = None
    memory: str | None = None
    persistent_memory: str | None = None

    def revision(self, core: Core) -> Revision:
        return load_revision(self.tflm, self.kernels or self.library_kernels, core)


def make_options(**options: Unpack[OptionKeywords]) -> Options:
    """Options from keywords.

    Raises:
        UsageError: a keyword is unknown or a reserve is negative.
    """
    try:
        made = Options(**options)
    except TypeError:
        known = [field.name for field in fields(Options)]
        unknown = ", ".join(sorted(options.keys() - set(known)))
        raise UsageError(f"unknown option {unknown}; known: {', '.join(known)}") from None
    for name in ("fps", "battery_j"):
        value = getattr(made, name)
        if value is not None and not 0 < value < inf:
            raise UsageError(f"{name} must be a positive number, not {value}")
    if made.resource_variables is not None and made.resource_variables < 0:
        raise UsageError("resource_variables cannot be negative")
    if made.reserve_ram_bytes < 0 or made.reserve_flash_bytes < 0:
        raise UsageError("a reserve cannot be negative")
    return made
