"""Code of each operator in a linked program, against what was predicted for it.

An operator's code is what is reached from the function that registers it, or from the one that
parses its options, and neither from another operator nor from the rest of the program. The tables
of code sizes are made of linked programs by the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from predictor.firmware.program import Program, Symbol
from predictor.firmware.references import References, start_of
from predictor.memory.flash import operator_flash
from predictor.memory.revision import Revision
from predictor.model.graph import CUSTOM_PREFIX
from predictor.operators.mn.tables import DROP_IN_LABELS

_MOST_OPERATORS = 256
"""More than any TFLM has; beyond, the names are no operators'."""
SHARED = "shared by several"
_REGISTER = re.compile(r"(?:^|::)Register_(\w+)$")
_OF_A_TYPE = "_INT"
"""What stands behind an operator's name where the kernels are those of some types alone."""
_OWN = "mn::Register_"
_PARSE = re.compile(r"(?:^|::)Parse(\w+)$")


@dataclass(frozen=True, slots=True)
class OperatorCode:
    """``predicted_bytes`` is None where no size was measured."""

    operator: str
    linked_bytes: int
    predicted_bytes: int | None


def operator_code(program: Program, revision: Revision) -> tuple[OperatorCode, ...]:
    """The operators that a program registers, the largest first; at last what several share."""
    found = _registering(program.functions)
    if not 0 < len(found) <= _MOST_OPERATORS:
        return ()
    labels = {name: _label(name, program.function_names) for name in found}
    predicted = operator_flash(revision, labels.values())
    linked = _linked(References(program), found, _parsing(program.functions, found))
    shared = OperatorCode(SHARED, linked.pop(None), predicted[None])
    rows = (OperatorCode(name, linked[name], predicted.get(labels[name])) for name in labels)
    return (*sorted(rows, key=lambda row: (-row.linked_bytes, row.operator)), shared)


def _registering(functions: Iterable[Symbol]) -> dict[str, frozenset[int]]:
    """Where the functions start that register each operator."""
    found: dict[str, set[int]] = {}
    for function in functions:
        match = _REGISTER.search(function.name)
        if match is not None and function.size_bytes:
            operator = match[1].partition(_OF_A_TYPE)[0]
            found.setdefault(operator, set()).add(start_of(function))
    return {name: frozenset(starts) for name, starts in found.items()}


def _parsing(functions: Iterable[Symbol], operators: Iterable[str]) -> dict[str, frozenset[int]]:
    """Where the functions start that parse the options of one operator alone."""
    names = {name.replace("_", "").lower(): name for name in operators}
    found: dict[str, set[int]] = {}
    for function in functions:
        match = _PARSE.search(function.name)
        operator = names.get(match[1].lower()) if match is not None else None
        if operator is not None and function.size_bytes:
            found.setdefault(operator, set()).add(start_of(function))
    return {name: frozenset(starts) for name, starts in found.items()}


def _label(name: str, functions: frozenset[str]) -> str:
    """What tables of code sizes call a registered operator."""
    if _OWN + name not in functions:
        return name
    return DROP_IN_LABELS.get(name, f"{CUSTOM_PREFIX}{name}")


def _linked(
    references: References,
    registering: dict[str, frozenset[int]],
    parsing: dict[str, frozenset[int]],
) -> dict[str | None, int]:
    """Bytes that each operator alone has linked; None: several."""
    starts = {name: it | parsing.get(name, frozenset()) for name, it in registering.items()}
    doors = frozenset().union(*starts.values())
    reached = {name: references.reached(it, doors - it) for name, it in starts.items()}
    others = references.pieces.keys() - set().union(*reached.values())
    rest = references.reached(others | references.entry, doors)
    linked: dict[str | None, int] = dict.fromkeys((*starts, None), 0)
    for address, piece in references.pieces.items():
        users = [name for name, pieces in reached.items() if address in pieces]
        if users and address not in rest:
            linked[users[0] if len(users) == 1 else None] += piece.size_bytes
    return linked
