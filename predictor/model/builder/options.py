"""Options tables of operators by name, and the names of their enumerated values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from predictor.errors import UsageError
from predictor.model.schema import (
    BUILTIN_NAMES,
    OPTIONS2_NAMES,
    OPTIONS_NAMES,
    enum,
    options_fields,
)

# Operators whose table is not named after them.
_SHARED_TABLES = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MULTINOMIAL": "RandomOptions",
    "RANDOM_STANDARD_NORMAL": "RandomOptions",
    "RANDOM_UNIFORM": "RandomOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "SUM": "ReducerOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
}
_ENUMS = {
    "padding": enum("Padding"),
    "fused_activation_function": enum("ActivationFunctionType"),
}
_BUILTINS = frozenset(BUILTIN_NAMES.values())
_TABLES = {
    table.removesuffix("Options").upper(): table
    for table in (*OPTIONS_NAMES.values(), *OPTIONS2_NAMES.values())
}


def options_type(name: str) -> str | None:
    """The options table of a builtin operator, None if it has none.

    Raises:
        UsageError: the schema has no such operator.
    """
    if name not in _BUILTINS:
        raise UsageError(f"{name!r} is no builtin operator; give is_custom=True for custom ones")
    return _SHARED_TABLES.get(name) or _TABLES.get(name.replace("_", ""))


def options_table(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of an operator as a graph holds them: every field that was given, checked.

    ``padding`` and ``fused_activation_function`` may be names in any case ("same", "relu6").

    Raises:
        UsageError: the operator has no options, or not this one.
    """
    table = options.get("options_type") or options_type(name)
    if table is None:
        if options:
            raise UsageError(f"{name} has no options, but was given {', '.join(options)}")
        return MappingProxyType({})
    known = [field.name for field in options_fields(table)]
    values: dict[str, Any] = {"options_type": table}
    for field, value in options.items():
        if field == "options_type":
            continue
        if field not in known:
            raise UsageError(f"{name} has no option {field!r}; it has {', '.join(known) or 'none'}")
        values[field] = _number(field, value) if isinstance(value, str) else value
    return MappingProxyType(values)


def _number(field: str, name: str) -> Any:
    if field not in _ENUMS:
        return name
    members = {key.lower(): value for key, value in _ENUMS[field].items()}
    if name.lower() not in members:
        what = field.removeprefix("fused_").removesuffix("_function")
        raise UsageError(f"unknown {what} {name!r}; known: {', '.join(members)}")
    return members[name.lower()]
