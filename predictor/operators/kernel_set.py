"""Kernel sets: which kernels an operator has, and how they come into the firmware."""

from __future__ import annotations

from dataclasses import field
from functools import cache
from importlib import import_module

from predictor.kernel_sets import left_operators
from predictor.model.graph import Graph
from predictor.operators.registry import OperatorTable, Overlay
from predictor.records import dataclass


@dataclass(frozen=True, eq=False)
class KernelSet:
    """The kernels with which a TFLM is built, or that are linked beside those of its library.

    ``overlays``: their folders, the topmost first. ``on``: the kernel set of the library, for
    kernels that are linked beside it. ``left``: operators that the library serves although these
    kernels could. ``own``: the kernel set that has the same kernels of its own. ``absent``:
    operators that this TFLM lacks. ``like``: the kernel set whose structs it has but for its own,
    and whose code sizes and costs stand in.
    """

    name: str
    overlays: tuple[Overlay, ...]
    on: KernelSet | None = None
    left: frozenset[str] = frozenset()
    own: str = ""
    absent: frozenset[str] = frozenset()
    like: str | None = None
    _tables: dict[tuple[Overlay, ...], OperatorTable] = field(default_factory=dict, repr=False)

    @property
    def library(self) -> KernelSet:
        """The kernel set of TFLM's library."""
        return self if self.on is None else self.on.library

    @property
    def measured_as(self) -> str:
        """The kernel set of which code sizes are taken."""
        return self.like or left_operators(self.name)[0]

    @property
    def counted_as(self) -> str:
        """The kernel set of which costs are taken, but for those of ``on``."""
        return self.like or self.own or self.name

    @property
    def runs_device_models(self) -> bool:
        return any(item.runs_device_models for item in self.overlays)

    def operators(self, graph: Graph) -> OperatorTable:
        """The operators as they are registered for a model."""
        serving = tuple(item for item in self.overlays if item.serves is None or item.serves(graph))
        table = self._tables.get(serving)
        if table is None:
            on = None if self.on is None else self.on.operators(graph)
            table = self._tables[serving] = OperatorTable(serving, on, self.absent, self.left)
        return table

    @property
    def operator_names(self) -> tuple[str, ...]:
        """Operators that this TFLM has, whatever the model: by name, sorted."""
        if self.on is not None:
            return self.on.operator_names
        always = tuple(item for item in self.overlays if item.serves is None)
        return OperatorTable(always, None, self.absent).names()

    def registers_builtin(self, graph: Graph) -> bool:
        """Whether a model's builtin operators run with kernels beside those of the library."""
        return any(item.serves is not None and item.serves(graph) for item in self.overlays)


@cache
def overlay(name: str) -> Overlay:
    """An overlay by the name of its folder or module under ``operators``."""
    found: Overlay = import_module(f"predictor.operators.{name}").OVERLAY
    return found
