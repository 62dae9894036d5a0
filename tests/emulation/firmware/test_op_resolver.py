"""The list of linkable operators, read from TFLM's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import PredictorError, UsageError
from predictor.firmware.op_resolver import (
    LinkableOperator,
    defined_in,
    is_current_api,
    linkable_operators,
    operators_header,
    select_operators,
)

CURRENT = """
  TfLiteStatus AddCustom(const char* name, const TFLMRegistration* registration) { }
  TfLiteStatus AddConv2D(const TFLMRegistration& registration = Register_CONV_2D()) {
    return AddBuiltin(BuiltinOperator_CONV_2D, registration, ParseConv2D);
  }
  TfLiteStatus AddVendor() {
    return AddCustom(GetString_VENDOR(), registration);
  }
  TfLiteStatus AddDelay() {
    // An older name was AddOldDelay.
    return AddCustom("SignalDelay", tflite::tflm_signal::Register_DELAY());
  }
  TfLiteStatus AddBuiltin(tflite::BuiltinOperator op) { }
"""
RESOLVER_2020 = """
  AddBuiltin(BuiltinOperator_CONV_2D, Register_CONV_2D(), 1, 3);
  AddBuiltin(BuiltinOperator_ABS, Register_ABS());
  AddBuiltin(BuiltinOperator_RESIZE_NEAREST_NEIGHBOR,
             Register_RESIZE_NEAREST_NEIGHBOR(),
             /* min_version = */ 1,
             /* max_version = */ 2);
"""
REGISTRATIONS_2020 = """
TfLiteRegistration* Register_ABS();
TfLiteRegistration* Register_CONV_2D();
TfLiteRegistration* Register_RING();
TfLiteRegistration* Register_RESIZE_NEAREST_NEIGHBOR();
"""


def _tree(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tmp_path / "tensorflow" / "lite" / "micro" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_current_api(tmp_path: Path) -> None:
    root = _tree(tmp_path, {"micro_log.h": "", "micro_mutable_op_resolver.h": CURRENT})
    assert is_current_api(root)
    assert linkable_operators(root) == (
        LinkableOperator("CONV_2D", "AddConv2D", False, 0, register="Register_CONV_2D"),
        LinkableOperator("SignalDelay", "AddDelay", True, 0, register="Register_DELAY"),
    )


def test_operators_that_a_library_was_built_with(tmp_path: Path) -> None:
    root = _tree(tmp_path, {"micro_log.h": "", "micro_mutable_op_resolver.h": CURRENT})
    both = linkable_operators(root)
    delay = "_ZN6tflite11tflm_signal14Register_DELAYEv"
    assert defined_in(both, [delay, "_Z4mainv"]) == both[1:]
    assert defined_in(both, [delay, "_ZN6tflite16Register_CONV_2DEv"]) == both
    assert defined_in(both, ["main"]) == both


def test_api_of_2020(tmp_path: Path) -> None:
    files = {
        "kernels/all_ops_resolver.cc": RESOLVER_2020,
        "kernels/micro_ops.h": REGISTRATIONS_2020,
    }
    root = _tree(tmp_path, files)
    assert not is_current_api(root)
    assert linkable_operators(root) == (
        LinkableOperator("CONV_2D", "Register_CONV_2D", False, 3),
        LinkableOperator("ABS", "Register_ABS", False, 1),
        LinkableOperator("RESIZE_NEAREST_NEIGHBOR", "Register_RESIZE_NEAREST_NEIGHBOR", False, 2),
        LinkableOperator("RING", "Register_RING", True, 1),
    )


def test_a_folder_without_tflm(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=r"all_ops_resolver\.cc"):
        linkable_operators(tmp_path)


OPERATORS = (
    LinkableOperator("CONV_2D", "AddConv2D", False, 3),
    LinkableOperator("SignalDelay", "AddDelay", True, 0),
)


def test_selection() -> None:
    assert select_operators(OPERATORS, None) == OPERATORS
    assert select_operators(OPERATORS, ["CUSTOM:SignalDelay"]) == OPERATORS[1:]
    assert select_operators(OPERATORS, []) == ()


def test_selection_of_an_unknown_operator() -> None:
    with pytest.raises(
        UsageError, match="no operator LEAKY_RELU; it has CONV_2D, CUSTOM:SignalDelay"
    ):
        select_operators(OPERATORS, ["CONV_2D", "LEAKY_RELU"])


def test_header() -> None:
    assert operators_header(OPERATORS).splitlines()[1:] == [
        "#define TFLM_OPERATORS(BUILTIN, CUSTOM, MN, DROP_IN) \\",
        "  BUILTIN(CONV_2D, AddConv2D, 3) \\",
        '  CUSTOM("SignalDelay", AddDelay)',
    ]
