"""Flash that a model needs: its flatbuffer, the TFLM runtime and the code of its operators.

Code sizes are measured, not modelled: a table per core and kernel set holds the bytes of the
interpreter without operators and of *groups* of code, each with the operators whose presence
links it. A group counts once, however many of its operators a model uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from predictor.cores.core import CodeStandIn, Core
from predictor.errors import UsageError
from predictor.memory.revision import Revision, lineage
from predictor.model.device.names import PREFIX
from predictor.model.graph import CUSTOM_PREFIX, Graph
from predictor.operators.mn.tables import DROP_IN_LABELS
from predictor.operators.sizes import align_up
from predictor.records import dataclass

_FOLDER = Path(__file__).parent / "code_size"
MODEL_ALIGNMENT_BYTES = 16
"""TFLM wants the flatbuffer 16-byte aligned, so that its constants are aligned."""
RESOLVERS = ("used", "all")
Groups = tuple[tuple[int, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class FlashReport:
    """Bytes of flash. ``avoidable_bytes`` is code of operators that no node uses;
    ``unmeasured`` names operators whose code is not in the table; ``measured_on``,
    ``measured_revision`` and ``measured_kernels`` are core, TFLM and kernel set of which the others
    were measured; of another core they are corrected by what images for both have shown
    (``Core.code_stand_in``).

    ``code_bytes`` is then a lower bound; it is otherwise within ``code_error`` (a fraction) of
    a linked image.
    """

    model_bytes: int
    alignment_bytes: int
    runtime_bytes: int
    operator_bytes: int
    static_ram_bytes: int
    code_error: float
    avoidable_bytes: int
    unmeasured: tuple[str, ...]
    measured_on: str
    measured_revision: str
    measured_kernels: str

    @property
    def code_bytes(self) -> int:
        return self.runtime_bytes + self.operator_bytes

    @property
    def total_bytes(self) -> int:
        return self.model_bytes + self.alignment_bytes + self.code_bytes

    def with_model(self, model_bytes: int) -> FlashReport:
        """The same operators with a flatbuffer of another size."""
        return self.with_models((model_bytes,))

    def with_models(self, sizes: Iterable[int]) -> FlashReport:
        """The same operators with flatbuffers of these sizes."""
        sizes = tuple(sizes)
        aligned = sum(align_up(size, MODEL_ALIGNMENT_BYTES) for size in sizes)
        model_bytes = sum(sizes)
        return replace(self, model_bytes=model_bytes, alignment_bytes=aligned - model_bytes)


@dataclass(frozen=True)
class CodeSizes:
    """Measured code of one core, kernel set and TFLM revision.

    ``core`` and ``revision`` are what was measured, where others stand in for those asked for.

    ``base_ram_bytes`` is the RAM of the interpreter without the arena: statics, the interpreter
    object (``interpreter_bytes``) and an empty op resolver; each operator adds
    ``resolver_entry_bytes``.
    """

    core: str
    revision: str
    base_bytes: int
    base_ram_bytes: int
    interpreter_bytes: int
    resolver_entry_bytes: int
    error: float
    groups: Groups
    ram_groups: Groups
    operators: frozenset[str]

    def operator_bytes(self, operators: frozenset[str]) -> int:
        """Code that these operators link together."""
        return _linked(self.groups, operators)

    def apart_bytes(self, operators: frozenset[str]) -> dict[str | None, int]:
        """Code that each of these operators links alone; None: what several of them link."""
        apart = dict.fromkeys((*sorted(operators & self.operators), None), 0)
        for size, linked_by in self.groups:
            linking = linked_by & operators
            if linking:
                apart[next(iter(linking)) if len(linking) == 1 else None] += size
        return apart

    def static_ram_bytes(self, operators: frozenset[str], interpreters: int = 1) -> int:
        """RAM beside arena and stack with these operators registered, once for all interpreters."""
        entries = self.resolver_entry_bytes * len(operators)
        more_bytes = (interpreters - 1) * self.interpreter_bytes
        return self.base_ram_bytes + entries + _linked(self.ram_groups, operators) + more_bytes


def _linked(groups: Groups, operators: frozenset[str]) -> int:
    return sum(size for size, linked_by in groups if not linked_by.isdisjoint(operators))


@cache
def load_code_sizes(revision_name: str, kernels: str, core: Core) -> CodeSizes:
    """The table of a revision, kernel set and core, or of a core that serves in its stead.

    Where a revision was not measured, the one on which it is based stands in.

    Raises:
        UsageError: nothing was measured for this combination.
    """
    revision, tables = _measured_tables(revision_name)
    measured = next((name for name in core.measured_as if f"{name}/{kernels}" in tables), None)
    if measured is None:
        known = ", ".join(sorted(tables)) or "none"
        raise UsageError(
            f"no code sizes for TFLM revision {revision_name} with {kernels} kernels on "
            f"{core.name}; measured: {known}"
        )
    table = tables[f"{measured}/{kernels}"]
    groups = _groups(table["groups"])
    resolver = table["resolver_bytes"]
    return CodeSizes(
        core=measured,
        revision=revision,
        base_bytes=table["base_bytes"],
        base_ram_bytes=table["static_ram_bytes"] + table["interpreter_bytes"] + resolver["fixed"],
        interpreter_bytes=table["interpreter_bytes"],
        resolver_entry_bytes=resolver["per_operator"],
        error=table["error"],
        groups=groups,
        ram_groups=_groups(table["ram_groups"]),
        operators=frozenset().union(*(linked_by for _, linked_by in groups)),
    )


@cache
def _measured_tables(revision_name: str) -> tuple[str, dict[str, Any]]:
    """The tables of a revision, or of the nearest base that was measured, with its name."""
    for name in lineage(revision_name):
        path = _FOLDER / f"{name}.json"
        if path.exists():
            tables: dict[str, Any] = json.loads(path.read_text())["profiles"]
            return name, tables
    return revision_name, {}


def _groups(rows: list[dict[str, Any]]) -> Groups:
    return tuple((row["bytes"], frozenset(row["linked_by"])) for row in rows)


def _own_labels(labels: Iterable[str], drop_in: frozenset[str]) -> frozenset[str]:
    """What the table calls operators as they are registered: builtin ones run with the project's
    kernels, as those of ``drop_in`` do, or with TFLM's."""
    own = {label: DROP_IN_LABELS[label] for label in drop_in}
    registered = frozenset(own.get(label, label) for label in labels)
    others = frozenset(DROP_IN_LABELS.values()) - frozenset(own.values())
    if drop_in:
        others |= {it for it in registered if it.startswith(CUSTOM_PREFIX + PREFIX)}
    return registered - others


def _stand_in(sizes: CodeSizes, core: Core) -> CodeStandIn | None:
    """What corrects sizes that were measured on a core with other instructions, the last of those
    that may serve."""
    *same, other = core.measured_as
    return core.code_stand_in if sizes.core == other and same else None


def _ratio(sizes: CodeSizes, core: Core) -> float:
    other = _stand_in(sizes, core)
    return 1.0 if other is None else other.ratio


def operator_flash(revision: Revision, labels: Iterable[str]) -> dict[str | None, int]:
    """Predicted code of operators that are linked together, by what tables of code sizes call them:
    what each links alone, and as None what several link. Those without a size are left out.

    Raises:
        UsageError: nothing was measured for this combination.
    """
    core, kernel_set = revision.core, revision.kernel_set
    sizes = load_code_sizes(revision.name, kernel_set.measured_as, core)
    ratio = _ratio(sizes, core)
    apart = sizes.apart_bytes(frozenset(labels))
    return {label: round(ratio * size) for label, size in apart.items()}


def flash(graph: Graph, revision: Revision, resolver: str = "used") -> FlashReport:
    """Predicts the flash of a model with the operators it lists, or with all of TFLM.

    Raises:
        UsageError: unknown resolver, or no measured code sizes.
    """
    return flash_of((graph,), revision, resolver)


def flash_of(graphs: Sequence[Graph], revision: Revision, resolver: str = "used") -> FlashReport:
    """The same of models in one program, each with an interpreter.

    Raises:
        UsageError: unknown resolver, or no measured code sizes.
    """
    if resolver not in RESOLVERS:
        raise UsageError(f"unknown resolver {resolver!r}; choose {' or '.join(RESOLVERS)}")
    kernel_set = revision.kernel_set
    used, others, all_drop_in = frozenset[str](), frozenset[str](), frozenset[str]()
    for graph in graphs:
        drop_in = frozenset[str]()
        if kernel_set.registers_builtin(graph):
            drop_in = frozenset(DROP_IN_LABELS) - kernel_set.left
        used |= _own_labels(graph.operator_labels, drop_in)
        others |= _own_labels(graph.unused_codes, drop_in)
        all_drop_in |= drop_in
    code = _code(
        revision.name,
        kernel_set.measured_as,
        revision.core,
        used,
        None if resolver == "all" else others,
        all_drop_in,
        len(graphs),
    )
    return code.with_models([graph.flatbuffer_bytes for graph in graphs])


@lru_cache(maxsize=256)
def _code(
    revision_name: str,
    kernels: str,
    core: Core,
    used: frozenset[str],
    others: frozenset[str] | None,
    drop_in: frozenset[str],
    interpreters: int,
) -> FlashReport:
    """What models take but for their flatbuffers.

    Args:
        others: what the resolver lists beside the operators ``used``, None for all that TFLM has.
        drop_in: builtin operators that are registered with the project's kernels.
    """
    sizes = load_code_sizes(revision_name, kernels, core)
    if others is None:
        others = _own_labels(sizes.operators, drop_in)
    linked = used | (sizes.operators & others)
    other, ratio = _stand_in(sizes, core), _ratio(sizes, core)
    operator_bytes = round(ratio * sizes.operator_bytes(linked))
    return FlashReport(
        model_bytes=0,
        alignment_bytes=0,
        runtime_bytes=align_up(round(ratio * sizes.base_bytes), 4),
        operator_bytes=align_up(operator_bytes, 4),
        static_ram_bytes=sizes.static_ram_bytes(linked, interpreters),
        code_error=sizes.error if other is None else sizes.error + other.error,
        avoidable_bytes=operator_bytes - round(ratio * sizes.operator_bytes(used)),
        unmeasured=tuple(sorted(used - sizes.operators)),
        measured_on=sizes.core,
        measured_revision=sizes.revision,
        measured_kernels=kernels,
    )
