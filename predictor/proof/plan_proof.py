"""Proves that a memory plan changes no result: original and planned model side by side.

Both run on extreme and random inputs, in TFLM's runtime on this host and in emulated firmware, and
the planned model's accesses are checked with shadow memory, which looks at no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from predictor.emulation.platform.description import Platform
from predictor.errors import EmulationError
from predictor.firmware.build import FirmwareImage
from predictor.firmware.flash_blob import HEADER_BYTES
from predictor.firmware.runner_report import FirmwareReport, read_report
from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.optimization.stripes.views import views_of
from predictor.proof.host_check import Array, HostCheck, compare
from predictor.proof.host_runtime import HostRuntime, is_installed
from predictor.proof.model_run import (
    RunOptions,
    Watch,
    failure_of,
    outputs_of,
    random_inputs,
    run_inputs,
)
from predictor.proof.shadow_memory import (
    ModelUses,
    StaleRead,
    faults_without_plan,
    plan_offsets,
    stale_reads,
)
from predictor.proof.shadow_run import UseCollector, UseComparison, watch_arena
from predictor.records import dataclass

Inputs = tuple[Array, ...]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProofSize:
    """How many inputs are tried; those watched with shadow memory are the first emulated ones."""

    host: int = 200
    emulated: int = 20
    watched: int = 20


@dataclass(frozen=True, slots=True)
class FirmwareModel:
    """A model as firmware gets it, with its predicted arena."""

    content: bytes
    arena: ArenaReport


@dataclass(frozen=True, slots=True)
class Firmware:
    """What runs the models: an image and the emulated board it is for."""

    image: FirmwareImage
    platform: Platform


@dataclass(frozen=True, slots=True)
class EmulatedModels:
    """The three models that are emulated, all for the same firmware.

    ``unplanned`` is ``planned`` with the plan taken out (:func:`without_plan`).
    """

    original: FirmwareModel
    planned: FirmwareModel
    unplanned: FirmwareModel


@dataclass(frozen=True, slots=True)
class Check:
    """One row of a proof. ``passed`` None: not checked, ``finding`` says why."""

    name: str
    inputs: int
    passed: bool | None
    finding: str


@dataclass(frozen=True)
class PlanProof:
    """All checks; ``stale`` are the reads that shadow memory reports, ``outputs`` what firmware
    computed with the planned model for each input."""

    checks: tuple[Check, ...]
    stale: tuple[StaleRead, ...] = ()
    outputs: tuple[tuple[bytes, ...], ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether no check failed and outputs were compared at all."""
        return any(check.passed for check in self.checks) and all(
            check.passed is not False for check in self.checks
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [
                {
                    "name": check.name,
                    "inputs": check.inputs,
                    "passed": check.passed,
                    "finding": check.finding,
                }
                for check in self.checks
            ],
            "stale_reads": [
                {
                    "operator": read.step,
                    "tensor": read.tensor,
                    "tensor_offset": read.tensor_offset,
                    "arena_offset": read.arena_offset,
                    "bytes": read.size_bytes,
                    "found": read.found,
                }
                for read in self.stale
            ],
        }


def proof_inputs(graph: Graph, count: int) -> list[Inputs]:
    """Extremes first (all lowest, all highest, zeros, lowest and highest by turns), then random."""
    samples = [random_inputs(graph, seed) for seed in range(count)]
    for index, kind in enumerate(("lowest", "highest", "zero", "turns")[:count]):
        samples[index] = tuple(_extreme(array, kind) for array in samples[index])
    return samples


def _extreme(array: Array, kind: str) -> Array:
    if array.dtype.kind == "f":
        lowest, highest = -1.0, 1.0
    elif array.dtype.kind == "b":
        lowest, highest = 0, 1
    else:
        bounds = np.iinfo(array.dtype.name)
        lowest, highest = bounds.min, bounds.max
    values = {"lowest": (lowest, lowest), "highest": (highest, highest), "zero": (0, 0)}
    pair = np.array(values.get(kind, (lowest, highest)), dtype=array.dtype)
    return np.resize(pair, array.shape) if array.size else array


def prove_on_host(
    original: bytes, planned: bytes, samples: Sequence[Inputs], progress: Progress
) -> Check:
    """Compares both models in TFLM's Python runtime, which has the reference kernels."""
    name = "host runtime"
    if not is_installed("tflite_micro"):
        return Check(name, 0, None, "pip install tflite-micro to compare on this host")
    with HostRuntime("tflite_micro") as runtime:
        for index, sample in enumerate(samples):
            if index % 20 == 0:
                progress(f"host runtime: input {index} of {len(samples)}")
            answers = [runtime.run(content, sample) for content in (original, planned)]
            errors = [answer.error for answer in answers if answer.error]
            if errors:
                return Check(name, index, None, f"it does not run the model: {errors[0]}")
            expected, found = ([a.tobytes() for a in answer.outputs] for answer in answers)
            if expected != found:
                return Check(name, index + 1, False, f"outputs of input {index} differ")
    return Check(name, len(samples), True, "equal to the bit")


def prove_against_host(
    original: bytes,
    samples: Sequence[Inputs],
    outputs: Sequence[tuple[bytes, ...]],
    progress: Progress,
) -> Check:
    """Compares what firmware computed with the planned model with the original on this host."""
    name = "host runtime"
    if not outputs:
        return Check(name, 0, None, "nothing ran in firmware")
    if not is_installed("tflite_micro"):
        return Check(name, 0, None, "pip install tflite-micro to compare on this host")
    checks = {HostCheck.EQUAL}
    with HostRuntime("tflite_micro") as runtime:
        progress(f"host runtime: {len(samples)} inputs")
        answer = runtime.run_sequence(original, samples)  # in firmware state is kept, too
        if answer.error:
            return Check(name, 0, None, f"it does not run the model: {answer.error}")
        for index, (expected, found) in enumerate(zip(answer.runs, outputs, strict=True)):
            check, finding = compare(expected, found)
            if check is HostCheck.DIFFERENT:
                return Check(name, index + 1, False, f"input {index}, {finding}, in firmware")
            checks.add(check)
    worst = HostCheck.CLOSE if HostCheck.CLOSE in checks else HostCheck.EQUAL
    return Check(name, len(samples), True, f"of the original; in firmware {worst.value}")


def prove_in_emulation(
    models: EmulatedModels,
    firmware: Firmware,
    roomy: Firmware,
    samples: Sequence[Inputs],
    watched: int,
    progress: Progress,
) -> PlanProof:
    """Runs the models in firmware: outputs, arena, and every access of the planned one.

    Args:
        firmware: for the planned model.
        roomy: the same firmware where the unplanned models fit, too.
        watched: how many of the samples shadow memory watches.

    Raises:
        EmulationError: a model does not run to its end.
    """
    graph = models.planned.arena.prepared.graph
    where = f"emulated {firmware.image.board}"
    batch = _batch(models, firmware, samples)
    progress(f"{where}: original, {len(samples)} inputs")
    _, expected = _run_all(models.original, roomy, graph, samples, batch)
    progress(f"{where}: planned, {len(samples)} inputs")
    report, found = _run_all(models.planned, firmware, graph, samples, batch)
    different = [i for i, pair in enumerate(zip(expected, found, strict=True)) if len({*pair}) > 1]
    outputs = Check(
        where,
        len(samples),
        not different,
        f"outputs of input {different[0]} differ" if different else "equal to the bit",
    )
    checks = [outputs, _check_arena(models.planned, report)]
    stale: dict[StaleRead, None] = {}
    undefined: dict[str, None] = {}
    differences: dict[str, None] = {}
    for index, sample in enumerate(samples[:watched]):
        progress(f"shadow memory: input {index} of {min(watched, len(samples))}")
        uses, unlike = _watch(models, firmware, roomy, graph, sample)
        stale |= dict.fromkeys(_faults_of_plan(uses, models.planned.arena))
        undefined |= dict.fromkeys(faults_without_plan(uses))
        differences |= dict.fromkeys(unlike)
    checks += _shadow_checks(min(watched, len(samples)), stale, differences, undefined)
    return PlanProof(tuple(checks), tuple(stale), tuple(found))


def _faults_of_plan(uses: ModelUses, planned: ArenaReport) -> list[StaleRead]:
    """The stale reads that the model has only with the plan."""
    recorded = stale_reads(uses, [buffer.offset for buffer in uses.buffers])
    known = {(read.step, read.tensor) for read in recorded}
    views = views_of(planned.prepared.graph.main)
    found = stale_reads(uses, plan_offsets(uses, planned), views)
    return [read for read in found if (read.step, read.tensor) not in known]


def _batch(models: EmulatedModels, firmware: Firmware, samples: Sequence[Inputs]) -> int:
    """How many samples fit into flash behind the larger model."""
    model_bytes = max(len(models.original.content), len(models.planned.content))
    sample_bytes = sum(array.nbytes for array in samples[0]) + 2 * HEADER_BYTES
    room = firmware.image.blob_room_bytes - model_bytes - 2 * HEADER_BYTES
    return max(1, room // sample_bytes)


def _run_all(
    model: FirmwareModel,
    firmware: Firmware,
    graph: Graph,
    samples: Sequence[Inputs],
    batch: int,
) -> tuple[FirmwareReport, list[tuple[bytes, ...]]]:
    """As :func:`_run`, in several runs where flash does not hold all samples."""
    outputs: list[tuple[bytes, ...]] = []
    for start in range(0, len(samples), batch):
        report, found = _run(model, firmware, graph, samples[start : start + batch])
        outputs += found
    return report, outputs


def _run(
    model: FirmwareModel,
    firmware: Firmware,
    graph: Graph,
    samples: Sequence[Inputs],
    watch: Watch | None = None,
) -> tuple[FirmwareReport, list[tuple[bytes, ...]]]:
    """The report of a run and the outputs for each sample."""
    from predictor.emulation.unicorn.machine import UnicornMachine

    machine = UnicornMachine(firmware.platform)
    arena_bytes = model.arena.required_bytes
    options = RunOptions()
    arguments = (machine, model.content, graph, firmware.image, samples, arena_bytes, options)
    result = run_inputs(*arguments, watch) if watch else run_inputs(*arguments)
    report, _ = read_report(result.uart)
    failure = failure_of(result, report, arena_bytes)
    if failure is not None:
        raise EmulationError(f"the proof stops: {failure}")
    return report, [outputs_of(graph, report, index) for index in range(len(samples))]


def recorded_uses(model: FirmwareModel, firmware: Firmware, sample: Inputs) -> ModelUses:
    """What an inference of a model without a plan reads and writes.

    Raises:
        EmulationError: the model does not run to its end.
    """
    collector = UseCollector(model.arena)
    graph = model.arena.prepared.graph
    _run(model, firmware, graph, [sample], _watcher(model, collector))
    return collector.uses()


def _watch(
    models: EmulatedModels, firmware: Firmware, roomy: Firmware, graph: Graph, sample: Inputs
) -> tuple[ModelUses, list[str]]:
    """What an inference uses, and the steps in which the planned model's accesses are others."""
    planned = models.planned
    uses = recorded_uses(models.unplanned, roomy, sample)
    comparison = UseComparison(uses, planned.arena)
    _run(planned, firmware, graph, [sample], _watcher(planned, comparison))
    comparison.finish()
    return uses, comparison.differences


def _watcher(model: FirmwareModel, observer: UseCollector | UseComparison) -> Watch:
    arena = model.arena
    return lambda machine: watch_arena(
        machine, arena, arena.required_bytes, observer.layout, observer.consume
    )


def _check_arena(model: FirmwareModel, report: FirmwareReport) -> Check:
    predicted = model.arena.used_bytes
    used = report.arena.used_bytes if report.arena is not None else 0
    finding = f"{used:,} bytes used" + ("" if used == predicted else f", predicted {predicted:,}")
    return Check("arena as predicted", 1, used == predicted, finding)


def _shadow_checks(
    watched: int,
    stale: dict[StaleRead, None],
    differences: dict[str, None],
    undefined: dict[str, None],
) -> Iterator[Check]:
    finding = str(next(iter(stale))) if stale else "no read of overwritten bytes"
    if not stale and undefined:
        finding += f" (in any plan, {next(iter(undefined))})"
    yield Check("shadow memory", watched, not stale, finding)
    if differences:
        finding = f"{next(iter(differences))} makes other accesses than without the plan"
    else:
        finding = "those of the model without a plan, in the same order"
    yield Check("accesses", watched, not differences, finding)
