"""Struct sizes on the two targets."""

from __future__ import annotations

import pytest

from predictor.errors import RevisionError
from predictor.memory.abi import ARM_EABI, X86_64, StructLayouts

STRUCTS = {
    "Mixed": ["u8", "i32", "u8"],
    "Pointers": ["ptr", "enum", "ptr"],
    "Doubles": ["i32", "f64"],
    "Nested": ["u8", "Doubles[2]"],
    "Empty": [],
}


@pytest.mark.parametrize(
    ("name", "arm", "x86"),
    [
        ("Mixed", (12, 4), (12, 4)),
        ("Pointers", (12, 4), (24, 8)),
        ("Doubles", (16, 8), (16, 8)),
        ("Nested", (40, 8), (40, 8)),
        ("Empty", (1, 1), (1, 1)),
        ("enum", (1, 1), (4, 4)),
    ],
)
def test_layouts(name: str, arm: tuple[int, int], x86: tuple[int, int]) -> None:
    assert StructLayouts(ARM_EABI, STRUCTS).layout(name) == arm
    assert StructLayouts(X86_64, STRUCTS).layout(name) == x86


def test_later_layers_replace_structs() -> None:
    layouts = StructLayouts(ARM_EABI, STRUCTS, {"Mixed": ["i32[4]"]})
    assert layouts.size_of("Mixed") == 16


@pytest.mark.parametrize("fields", [["nothing"], ["i32["], ["i32[x]"]])
def test_unknown_types_are_errors(fields: list[str]) -> None:
    with pytest.raises(RevisionError):
        StructLayouts(ARM_EABI, {"Broken": fields}).size_of("Broken")
