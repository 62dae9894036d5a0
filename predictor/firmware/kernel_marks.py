"""By which functions of a program its TFLM and kernel set are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from predictor import toml

_FILE = Path(__file__).with_suffix(".toml")
_GENERATIONS = Path(__file__).with_name("tflm_generations.toml")


@cache
def kernel_marks() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """For each kernel set and operator the functions of which one is linked where the operator runs
    with it. A kernel set without marks, such as the reference kernels, is what is left."""
    with _FILE.open("rb") as file:
        tables = toml.load(file)
    return {
        kernels: {operator: tuple(names) for operator, names in table.items()}
        for kernels, table in tables.items()
    }


def tflm_generation(functions: Collection[str]) -> str:
    """When the TFLM of a program with these functions is from, in words."""
    with _GENERATIONS.open("rb") as file:
        generations = toml.load(file)["generation"]
    for generation in generations:
        if any(name.startswith(generation["begins"]) for name in functions):
            return str(generation["words"])
    return "unknown"
