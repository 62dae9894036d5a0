"""The list of operators that a firmware links, generated for the TFLM library at hand.

The current TFLM tells its operators in ``micro_mutable_op_resolver.h`` (one ``Add`` method each),
the revision of 2020 in ``kernels/all_ops_resolver.cc`` and ``kernels/micro_ops.h``. Both are read
as they lie beside the library, so that the list fits whatever revision that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from predictor.errors import PredictorError, UsageError
from predictor.memory.deployment import DROP_IN
from predictor.model.device.reader import CODES
from predictor.model.graph import operator_label
from predictor.records import dataclass

_MICRO = Path("tensorflow/lite/micro")
_CURRENT_MARK = _MICRO / "micro_log.h"


@dataclass(frozen=True, slots=True)
class LinkableOperator:
    """An operator that a TFLM library offers.

    Args:
        name: builtin operator's name in the schema, or the custom operator's name.
        function: what registers it in this revision's API.
        is_custom: whether models name it by string.
        highest_version: operator version up to which this revision knows it; 0 for any.
        is_mn: whether it runs with the project's own kernels; ``function`` of a builtin one is
            the resolver's method.
        register: function of the library that its registration comes from, where that is known.
    """

    name: str
    function: str
    is_custom: bool
    highest_version: int
    is_mn: bool = False
    register: str = ""

    @property
    def label(self) -> str:
        """What reports and :func:`select_operators` call it."""
        return operator_label(self.name, self.is_custom)


def is_current_api(tflm_root: Path) -> bool:
    """Whether sources below this root have the API of 2024 and later."""
    return (tflm_root / _CURRENT_MARK).is_file()


def linkable_operators(tflm_root: Path) -> tuple[LinkableOperator, ...]:
    """All operators that the library with these headers can link, in its own order.

    Raises:
        PredictorError: the headers are not those of a known TFLM API.
    """
    if is_current_api(tflm_root):
        return _current_operators(_read(tflm_root / _MICRO / "micro_mutable_op_resolver.h"))
    resolver = _read(tflm_root / _MICRO / "kernels" / "all_ops_resolver.cc")
    return _operators_of_2020(resolver, _read(tflm_root / _MICRO / "kernels" / "micro_ops.h"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PredictorError(
            f"cannot read TFLM's operator list {path}: {error.strerror}; "
            "the folder must hold TFLM's headers"
        ) from error


_REGISTER = re.compile(r"\b(Register_\w+)\(")
_MANGLED = re.compile(r"(\d+)(Register_)")
_CURRENT_METHOD = re.compile(r"TfLiteStatus (Add(?!Builtin\b|Custom\b)\w+)\(")


def _current_operators(header: str) -> tuple[LinkableOperator, ...]:
    operators = []
    methods = list(_CURRENT_METHOD.finditer(header))
    for method, following in zip(methods, [*methods[1:], None], strict=True):
        body = header[method.end() : following.start() if following else len(header)]
        builtin = re.search(r"AddBuiltin\(\s*BuiltinOperator_(\w+)", body)
        custom = re.search(r'AddCustom\(\s*"([^"]+)"', body)
        # One without a fixed name, that of a vendor's accelerator, is left out.
        code, is_custom = (builtin, False) if builtin is not None else (custom, True)
        if code is not None:
            found = _REGISTER.search(body)
            register = "" if found is None else found[1]
            operators.append(LinkableOperator(code[1], method[1], is_custom, 0, register=register))
    return tuple(operators)


def defined_in(
    operators: Iterable[LinkableOperator], symbols: Iterable[str]
) -> tuple[LinkableOperator, ...]:
    """Those whose registration a library defines, where it is one of C++ functions at all."""
    defined = registrations(symbols)
    kept = tuple(item for item in operators if not item.register or item.register in defined)
    return kept if defined else tuple(operators)


def registrations(symbols: Iterable[str]) -> frozenset[str]:
    """The functions that register an operator, of the mangled names of a library."""
    return frozenset(
        symbol[match.start(2) : match.start(2) + int(match[1])]
        for symbol in symbols
        for match in _MANGLED.finditer(symbol)
    )


_BUILTIN_OF_2020 = re.compile(
    r"AddBuiltin\(\s*BuiltinOperator_(\w+),\s*(Register_\w+)\(\)"
    r"(?:,\s*(?:/\*.*?\*/)?\s*\d+,\s*(?:/\*.*?\*/)?\s*(\d+))?\s*\)",
    re.DOTALL,
)


def _operators_of_2020(resolver: str, registrations: str) -> tuple[LinkableOperator, ...]:
    builtins = [
        LinkableOperator(match[1], match[2], False, int(match[3] or 1))
        for match in _BUILTIN_OF_2020.finditer(resolver)
    ]
    known = {operator.function for operator in builtins}
    # What is declared but not in the list of builtins is a custom operator of the same name.
    customs = [
        LinkableOperator(name, f"Register_{name}", True, 1)
        for name in re.findall(r"\bRegister_(\w+)\(\);", registrations)
        if f"Register_{name}" not in known
    ]
    return (*builtins, *customs)


def with_mn_kernels(
    available: Iterable[LinkableOperator],
    registers_builtin: bool,
    left: frozenset[str] = frozenset(),
) -> tuple[LinkableOperator, ...]:
    """The operators of the kernel set ``mn``.

    Args:
        available: those of TFLM.
        registers_builtin: whether builtin operators that have a kernel run with it; otherwise the
            custom operators of device models do.
        left: builtin operators that keep TFLM's kernel all the same.
    """
    if registers_builtin:
        return tuple(
            replace(operator, is_mn=True) if operator.name in DROP_IN - left else operator
            for operator in available
        )
    customs = (LinkableOperator(code, f"Register_{code}", True, 1, True) for code in CODES)
    return (*available, *customs)


def select_operators(
    available: Iterable[LinkableOperator], wanted: Iterable[str] | None
) -> tuple[LinkableOperator, ...]:
    """The operators to link: all available ones, or those named.

    Raises:
        UsageError: a named operator is not in this library; says which.
    """
    operators = tuple(available)
    if wanted is None:
        return operators
    names = set(wanted)
    missing = sorted(names - {operator.label for operator in operators})
    if missing:
        raise UsageError(
            f"this TFLM has no operator {', '.join(missing)}; it has "
            f"{', '.join(sorted(operator.label for operator in operators))}"
        )
    return tuple(operator for operator in operators if operator.label in names)


def operators_header(operators: Iterable[LinkableOperator]) -> str:
    """Text of ``operators.h``: the macro that the runner expands once for each operator."""
    entries = []
    for operator in operators:
        if operator.is_custom:
            macro = "MN" if operator.is_mn else "CUSTOM"
            entries.append(f'  {macro}("{operator.name}", {operator.function})')
        elif operator.is_mn:
            entries.append(f"  DROP_IN({operator.name}, {operator.function})")
        else:
            entries.append(
                f"  BUILTIN({operator.name}, {operator.function}, {operator.highest_version})"
            )
    body = " \\\n".join(["#define TFLM_OPERATORS(BUILTIN, CUSTOM, MN, DROP_IN)", *entries])
    return f"// Generated: the operators that this firmware links.\n{body}\n"
