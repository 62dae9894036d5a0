"""The files of a project that runs a model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from predictor.boards.board import Board
from predictor.errors import UsageError
from predictor.escapes import identifier
from predictor.export.arena_words import derivation, struct_sizes
from predictor.export.ecosystem import Ecosystem
from predictor.export.kernel_package import package_files
from predictor.export.registrations import (
    FLOW_OF_2020,
    Mark,
    check_kernels,
    has_variants,
    kernels_version,
    marks,
    operators_of,
    registration,
)
from predictor.export.rendering import render, templates_of
from predictor.export.self_test import self_test
from predictor.export.tensors import byte_lines, joined, ports
from predictor.model.metadata import read_plan_origin
from predictor.optimization.plan_warnings import plan_warnings
from predictor.prediction import Prediction
from predictor.proof.host_check import FLOAT_ROUNDING

COMMON = "common"
_VARIABLES = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True)
class Project:
    """A project's files by their paths in it. ``test_reason`` says why its self-test compares with
    no output; empty where it does."""

    name: str
    files: dict[str, bytes]
    test_reason: str


def export_project(prediction: Prediction, ecosystem: Ecosystem, name: str | None) -> Project:
    """The project of a model that was predicted for the TFLM that the ecosystem has.

    Args:
        name: of the model in programs; None takes it from the file's.

    Raises:
        UsageError: the model cannot run there, or what it needs cannot be written down.
    """
    check_kernels(prediction)
    _check_plan(prediction)
    name = identifier(name or Path(prediction.path or "model").stem)
    values = _values(prediction, ecosystem, name)
    files = {
        f"{ecosystem.model}/{path}": template for path, template in templates_of(COMMON).items()
    }
    for folder in ecosystem.templates:
        files |= templates_of(folder)
    made = {
        path.replace("NAME", name): render(template, values).encode()
        for path, template in files.items()
    }
    if values["runs_mn"]:
        made |= {
            f"{ecosystem.kernels_folder}/{path}": text for path, text in package_files().items()
        }
    return Project(name, made, values["test"].reason)


def _check_plan(prediction: Prediction) -> None:
    """Raises UsageError for a plan that these kernels may not run."""
    warnings = plan_warnings(prediction.graph, prediction.arena)
    if warnings:
        raise UsageError(f"{warnings[0]}; --kernels and --tflm choose others to export for")


def _values(prediction: Prediction, ecosystem: Ecosystem, name: str) -> dict[str, Any]:
    revision, graph = prediction.revision, prediction.deployed.graph
    is_of_2020 = revision.flow == FLOW_OF_2020
    operators = operators_of(prediction)
    test = self_test(prediction)
    inputs, outputs = ports(graph, "Input"), ports(graph, "Output")
    if len({port.tensor.index for port in inputs}) < len(inputs):
        raise UsageError("two inputs of the model are one tensor: export needs one for each")
    return {
        "name": name,
        "guard": name.upper(),
        "ecosystem": ecosystem,
        "file": Path(prediction.path or "model").name,
        "sha256": prediction.sha256 or "",
        "tool": f"predict {version('mcu-predictor')}",
        "prediction": prediction,
        "revision": revision,
        "requires": (ecosystem.requires or {}).get(revision.name, ""),
        "board": prediction.board,
        "memories": _memories(prediction.board),
        "core": prediction.board.core.model,
        "is_of_2020": is_of_2020,
        "registrations": [registration(operator, is_of_2020) for operator in operators],
        "core_matters": has_variants(prediction),
        "mn_version": kernels_version(),
        "rounding": FLOAT_ROUNDING,
        "runs_mn": any(operator.is_mn for operator in operators),
        "arena": prediction.arena,
        "derivation": list(derivation(prediction)),
        "structs": struct_sizes(revision),
        "resource_variables": _resource_variables(prediction),
        "marks": _needed_marks(prediction),
        "inputs": inputs,
        "outputs": outputs,
        "model_lines": byte_lines(prediction.deployed.content or b""),
        "model_bytes": len(prediction.deployed.content or b""),
        "test": test,
        "input_lines": list(byte_lines(joined(test.inputs))),
        "output_lines": list(byte_lines(joined(test.expected or ()))),
    }


def _memories(board: Board) -> dict[str, Any]:
    return {kind: board.spans(kind)[0] for kind in ("flash", "sram")}


def _resource_variables(prediction: Prediction) -> int | None:
    """For how many the application makes room; None for a model without."""
    if not prediction.deployed.graph.operator_labels & _VARIABLES:
        return None
    state = prediction.arena.prepared.state
    limit = state.resource_limit
    return len(state.resources) if limit is None else limit


def _needed_marks(prediction: Prediction) -> tuple[Mark, ...]:
    """What the program checks before it runs a plan that only some kernels may run."""
    origin = read_plan_origin(prediction.deployed.graph.metadata)
    return marks(prediction) if origin is not None and origin.distances else ()
