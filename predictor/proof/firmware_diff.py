"""Holds a user's firmware against the prediction of the model that it is to run.

Five mistakes are common and each is found by what the linker left in the program: an operator that
no resolver registers, an arena that is too small, other kernels than were meant, code without
optimisation, a model that is copied into RAM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from predictor.errors import UsageError
from predictor.escapes import printable
from predictor.firmware.kernel_marks import kernel_marks, tflm_generation
from predictor.firmware.link_map import LinkMap
from predictor.firmware.program import LinkedProgram, Program, Symbol
from predictor.memory.deployment import DROP_IN
from predictor.model.graph import CUSTOM_PREFIX
from predictor.prediction import Prediction
from predictor.proof.operator_code import OperatorCode, operator_code
from predictor.records import dataclass

_REGISTER = re.compile(r"(?:^|::)Register_(\w+)$")
_TFLM = re.compile(r"^(tflite|mn)::|^(arm|mn|esp_nn)_")
_KERNEL_PREFIXES = {"arm_": "cmsis_nn", "esp_nn_": "esp_nn"}
_ARENA = re.compile(r"arena", re.IGNORECASE)
_UNOPTIMISED_SHARE = 0.1
"""Of TFLM's code, from which on it counts as a mistake: single functions can look like it."""
_IDENTIFIER = b"TFL3"
"""At byte 4 of each model."""
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Mistake:
    """``kind`` is one of "missing-operator", "small-arena", "other-kernels", "unoptimised",
    "model-in-ram", "other-model"; ``words`` say what is wrong and what to do."""

    kind: str
    words: str


@dataclass(frozen=True)
class FirmwareDiff:
    """What a program has, beside what was predicted.

    ``arena`` is the object that was taken for the arena, None where none was found; ``tflm`` says
    when its TFLM is from; ``code`` what each operator takes of the flash, empty for a map;
    ``unchecked`` what could not be seen.
    """

    operators: tuple[str, ...]
    arena: Symbol | None
    tflm: str
    kernels: str
    flash_bytes: int
    code: tuple[OperatorCode, ...]
    mistakes: tuple[Mistake, ...]
    unchecked: tuple[str, ...]


def diff_firmware(
    prediction: Prediction, path: Path, arena_symbol: str | None = None
) -> FirmwareDiff:
    """Compares a program with a prediction.

    Args:
        path: the program as an ELF file with symbols, or the map that GNU ld wrote of it. A map
            has no contents: the model is known by its size, optimisation is not seen.
        arena_symbol: name of the arena's object; None finds the largest whose name has "arena".

    Raises:
        UsageError: the file is neither, has no TFLM, or no such object.
    """
    program = _read(path)
    registered = _registered(program)
    if not registered:
        raise UsageError(
            f"{path} registers no operator of TFLM that its symbols tell: link it without -s, and "
            "without link-time optimisation"
        )
    arena = _arena(program, arena_symbol)
    kernels, unchecked = _kernels(program), []
    if arena is None:
        unchecked.append(
            "the arena: no object has a name with arena; --arena-symbol names it, unless it is "
            "taken from the heap"
        )
    if not program.has_contents:
        unchecked.append(
            "optimisation, what the model's bytes are, and the code of each operator: only an ELF "
            "file tells"
        )
    custom = _custom_names(prediction)
    if custom:
        unchecked.append(f"custom operators: {', '.join(custom)}")
    mistakes = [
        *_missing(prediction, registered),
        *_small_arena(prediction, arena),
        *_other_kernels(prediction, program, kernels),
        *_unoptimised(program),
        *_misplaced_model(prediction, program),
    ]
    return FirmwareDiff(
        tuple(sorted(registered)),
        arena,
        tflm_generation(program.function_names),
        kernels,
        program.flash_bytes,
        operator_code(program, prediction.revision) if isinstance(program, Program) else (),
        tuple(mistakes),
        tuple(unchecked),
    )


_ELF = b"\x7fELF"


def _read(path: Path) -> LinkedProgram:
    try:
        with path.open("rb") as file:
            is_map = file.read(len(_ELF)) != _ELF
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return LinkMap(path) if is_map else Program(path)


def _registered(program: LinkedProgram) -> frozenset[str]:
    """What stands behind Register_ in the names of linked functions."""
    found = map(_REGISTER.search, program.function_names)
    return frozenset(match[1] for match in found if match is not None)


def _arena(program: LinkedProgram, name: str | None) -> Symbol | None:
    objects = [it for it in program.symbols if not it.is_function and it.size_bytes]
    if name is not None:
        named = [it for it in objects if it.name == name or it.name.endswith(f"::{name}")]
        if not named:
            raise UsageError(f"{program.path} has no object {name}")
        return max(named, key=lambda it: it.size_bytes)
    writable = (it for it in objects if _is_writable(program, it) and _ARENA.search(it.name))
    return max(writable, key=lambda it: it.size_bytes, default=None)


def _is_writable(program: LinkedProgram, symbol: Symbol) -> bool:
    section = program.section_at(symbol.address)
    return section is not None and section.is_writable


def _kernels(program: LinkedProgram) -> str:
    """The kernel set by the names of its functions."""
    for prefix, kernels in _KERNEL_PREFIXES.items():
        if any(name.startswith(prefix) for name in program.function_names):
            return kernels
    return "reference"


def _own(label: str) -> str:
    return label.removeprefix(CUSTOM_PREFIX)


def _custom_names(prediction: Prediction) -> list[str]:
    """Custom operators that TFLM registers under names of its own."""
    labels = prediction.deployed.graph.operator_labels
    return sorted(
        _own(label) for label in labels if label.startswith(CUSTOM_PREFIX) and "MN_" not in label
    )


def _missing(prediction: Prediction, registered: frozenset[str]) -> Iterator[Mistake]:
    unknown = set(_custom_names(prediction))
    wanted = {_own(label) for label in prediction.deployed.graph.operator_labels} - unknown
    missing = sorted(
        name
        for name in wanted
        if not any(it == name or it.startswith(f"{name}_INT") for it in registered)
    )
    if missing:
        yield Mistake(
            "missing-operator",
            f"no resolver registers {', '.join(missing)}: AllocateTensors will fail (predict "
            "export writes a resolver with all of them)",
        )


def _small_arena(prediction: Prediction, arena: Symbol | None) -> Iterator[Mistake]:
    required = prediction.arena.required_bytes
    if arena is not None and arena.size_bytes < required:
        yield Mistake(
            "small-arena",
            f"the arena {printable(arena.name)} has {arena.size_bytes:,} bytes, the model takes "
            f"{required:,}",
        )


def _other_kernels(
    prediction: Prediction, program: LinkedProgram, kernels: str
) -> Iterator[Mistake]:
    expected = prediction.revision.kernel_set.library.name
    if kernels != expected:
        yield Mistake(
            "other-kernels",
            f"{kernels} kernels are linked, {expected} kernels were meant: build TFLM with these, "
            f"or predict with --kernels {kernels}",
        )
        return
    used = prediction.deployed.graph.operator_labels
    if prediction.registers_builtin:
        ours = used & DROP_IN
        expected = prediction.revision.kernels
        without = sorted(it for it in ours if f"mn::Register_{it}" not in program.function_names)
    else:
        without = _without_marks(program, expected, used)
    if without:
        verb = "runs" if len(without) == 1 else "run"
        yield Mistake(
            "other-kernels",
            f"{', '.join(without)} {verb} with reference kernels, {expected} kernels were meant",
        )


def _without_marks(program: LinkedProgram, kernels: str, used: frozenset[str]) -> list[str]:
    """Operators of which no function of a kernel set is linked, though it has some."""
    return sorted(
        operator
        for operator, functions in kernel_marks().get(kernels, {}).items()
        if operator in used and program.function_names.isdisjoint(functions)
    )


def _unoptimised(program: LinkedProgram) -> Iterator[Mistake]:
    code = [it for it in program.functions if _TFLM.search(it.name) and it.size_bytes]
    slow = sorted(filter(program.is_unoptimised, code), key=lambda it: -it.size_bytes)
    total = sum(it.size_bytes for it in code)
    share = sum(it.size_bytes for it in slow) / total if total else 0.0
    if share >= _UNOPTIMISED_SHARE:
        names = ", ".join(printable(it.name) for it in slow[:_MOST_NAMED])
        yield Mistake(
            "unoptimised",
            f"{share:.0%} of the code of TFLM and its kernels was compiled without optimisation "
            f"({names}): compile it with -O2",
        )


def _misplaced_model(prediction: Prediction, program: LinkedProgram) -> Iterator[Mistake]:
    content = prediction.deployed.content or b""
    places = list(program.places(content)) if content else []
    if not places and not program.has_contents:
        yield Mistake("other-model", f"no object has the model's {len(content):,} bytes")
    elif not places:
        others = [section for section, _ in program.places(_IDENTIFIER)]
        has = "holds another one" if others else "holds none, unless it is loaded when it runs"
        yield Mistake("other-model", f"the model is not in the program, which {has}")
    elif all(section.is_writable for section, _ in places):
        section, address = places[0]
        yield Mistake(
            "model-in-ram",
            f"the model lies in {printable(section.name)} at {address:#010x}, which is copied into "
            f"RAM: {len(content):,} bytes of it; make its array const",
        )
