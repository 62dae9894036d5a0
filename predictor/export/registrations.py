"""The registrations that a model's resolver holds, and the kernels that its operators run with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from predictor.errors import UsageError
from predictor.escapes import c_string
from predictor.firmware.kernel_marks import kernel_marks
from predictor.firmware.op_resolver import LinkableOperator, select_operators, with_mn_kernels
from predictor.firmware.resolver_methods import known_operators, operators_of_2020
from predictor.firmware.shipped import shipped_folder
from predictor.memory.revision import Revision
from predictor.model.graph import operator_label
from predictor.model.metadata import OFFLINE_PLAN
from predictor.prediction import Prediction

FLOW_OF_2020 = "2020"


def operators_of(prediction: Prediction) -> tuple[LinkableOperator, ...]:
    """The operators that TFLM asks a model's resolver for, and no other.

    Raises:
        UsageError: it is not known how one is registered.
    """
    labels = prediction.deployed.graph.operator_labels
    known = _known(prediction.revision, labels)
    if prediction.revision.kernel_set.runs_device_models:
        known = with_mn_kernels(known, prediction.registers_builtin)
    return select_operators(known, labels)


def _known(revision: Revision, labels: Iterable[str]) -> tuple[LinkableOperator, ...]:
    if revision.flow != FLOW_OF_2020:
        return known_operators()
    return operators_of_2020(labels)


def registration(operator: LinkableOperator, is_of_2020: bool) -> str:
    """The call that registers an operator with a MicroMutableOpResolver."""
    if is_of_2020:
        return _registration_of_2020(operator)
    if not operator.is_mn:
        return f"{operator.function}()"
    if operator.is_custom:
        return f'AddCustom("{c_string(operator.name)}", mn::{operator.function}())'
    return f"{operator.function}(*mn::Register_{operator.name}())"


def _registration_of_2020(operator: LinkableOperator) -> str:
    version = "tflite::MicroOpResolverAnyVersion()"
    if not operator.is_custom:
        code = f"tflite::BuiltinOperator_{operator.name}"
        return f"AddBuiltin({code}, tflite::ops::micro::{operator.function}(), {version})"
    function = f"tflite::ops::micro::{operator.function}()"
    if operator.is_mn:
        function = f"const_cast<TfLiteRegistration*>(mn::{operator.function}())"
    return f'AddCustom("{c_string(operator.name)}", {function}, {version})'


@dataclass(frozen=True, slots=True)
class Mark:
    """Functions of which one is linked where an operator runs with the expected kernels, or, for
    those that are not ``expected``, none is."""

    operator: str
    functions: tuple[str, ...]
    expected: bool


def marks(prediction: Prediction) -> tuple[Mark, ...]:
    """How a program sees that the library's kernels are those that a memory plan was made for."""
    library = prediction.revision.kernel_set.library.name
    own = {
        operator_label(item.name, item.is_custom) for item in operators_of(prediction) if item.is_mn
    }
    used = prediction.deployed.graph.operator_labels - own
    return tuple(
        Mark(operator, functions, kernels == library)
        for kernels, table in kernel_marks().items()
        for operator, functions in table.items()
        if operator in used
    )


def has_variants(prediction: Prediction) -> bool:
    """Whether the kernels take other buffers on cores with other instructions."""
    kernel_set = prediction.revision.kernel_set
    return kernel_set.on is not None or kernel_set.name in kernel_marks()


@cache
def kernels_version() -> tuple[int, ...]:
    """The version of the project's kernels: major, minor, patch."""
    text = (shipped_folder("kernels") / "include" / "mn_version.h").read_text(encoding="utf-8")
    found = re.findall(r"#define MN_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text)
    return tuple(map(int, found))


def check_kernels(prediction: Prediction) -> None:
    """Checks that a model's plan of 2020's TFLM is none: that TFLM does not read it.

    Raises:
        UsageError: there is a plan.
    """
    if prediction.revision.flow == FLOW_OF_2020 and OFFLINE_PLAN in prediction.graph.metadata:
        raise UsageError(
            f"the model has an offline memory plan, which TFLM {prediction.revision.name} does not "
            "read: export the original model, or for a newer TFLM"
        )
