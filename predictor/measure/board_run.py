"""A model on a physical board: what was measured, and whether the board computed right."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from predictor.errors import BoardRunError, EmulationError, MeasurementError
from predictor.firmware.build import build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.protocol import Hello
from predictor.firmware.runner_report import FirmwareReport
from predictor.firmware.target import ModelFirmware
from predictor.measure.current_trace import Window
from predictor.measure.measurements import Row
from predictor.measure.probe import Probe
from predictor.measure.serial_port import Port, receive
from predictor.prediction import Prediction
from predictor.proof.host_check import Array, HostCheck, compare_with_host
from predictor.proof.layer_check import LayerCheck, compare_layers, host_layers, layers_in_arena
from predictor.records import dataclass

Progress = Callable[[str], None]
_STATEFUL = ("VAR_HANDLE", "CIRCULAR_BUFFER")
TRACE_TOLERANCE = 0.02
"""By how much the marker's pulse in a trace may differ from the cycle counter."""


@dataclass(frozen=True)
class Job:
    """What is measured: a model in its firmware, with its inputs, ``repeats`` times; with
    ``sends_layers`` the first inference sends every operator's outputs."""

    firmware: ModelFirmware
    inputs: tuple[Array, ...]
    repeats: int
    sends_layers: bool = False

    @property
    def prediction(self) -> Prediction:
        return self.firmware.prediction


@dataclass(frozen=True, slots=True)
class BoardRun:
    """A run on a board. ``latencies_s``: each inference, without the hooks that count operators;
    ``pulses_s``: how long the marker was high for it, hooks included."""

    hello: Hello
    latencies_s: tuple[float, ...]
    pulses_s: tuple[float, ...]
    operator_cycles: tuple[tuple[str, int], ...]
    host: HostCheck
    host_reason: str
    layers: LayerCheck | None = None

    @property
    def latency_s(self) -> float:
        return median(self.latencies_s)


def measure(
    job: Job, probe: Probe, port: Port, folder: Path, progress: Progress = lambda text: None
) -> BoardRun:
    """Builds the firmware, writes it to the board, runs it and checks what it says.

    Args:
        folder: for the file that is written behind the code.

    Raises:
        BoardRunError: the probe, the port or the board failed, or it ran something else.
        EmulationError: the firmware could not be built. MissingDependencyError: no compiler.
    """
    board, arena = job.prediction.board, job.prediction.arena
    image = build(job.firmware.target, progress=progress)
    inputs = b"".join(array.tobytes() for array in job.inputs)
    places = [layer.place for layer in layers_in_arena(arena)] if job.sends_layers else []
    blob = model_blobs(
        job.firmware.content, [inputs], arena.required_bytes, job.repeats, layers=places
    )
    if len(blob) > image.blob_room_bytes:
        raise BoardRunError(
            f"model and input take {len(blob):,} bytes; behind the code, flash has "
            f"{image.blob_room_bytes:,}"
        )
    blob_file = folder / "model.bin"
    blob_file.write_bytes(blob)
    progress(f"writing {image.flash_bytes + len(blob):,} bytes to the flash of {board.name}")
    probe.program(image.elf, blob_file, image.blob_address)
    progress(f"running {job.repeats} times")
    probe.reset()
    return check(job, receive(port, progress))


def check(job: Job, report: FirmwareReport) -> BoardRun:
    """Holds the firmware's report against what was asked for.

    Raises:
        BoardRunError: it failed, ran another model or on another board, took another arena than
            predicted, or its runs differ.
    """
    board, predicted, content = job.prediction.board, job.prediction.arena, job.firmware.content
    try:
        report.require_success()
        count = len(predicted.prepared.graph.main.outputs)
        outputs = {
            index: tuple(run.output_bytes(i) for i in range(count))
            for index, run in sorted(report.runs.items())
        }
    except EmulationError as error:
        raise BoardRunError(f"the firmware failed on the board: {error}") from error
    hello, model, arena = report.hello, report.model, report.arena
    if hello is None or model is None or arena is None:
        raise BoardRunError("the firmware's report is not whole")
    if hello.board != board.name or model.crc != zlib.crc32(content):
        raise BoardRunError(
            f"the board runs another firmware or model (it says {hello.board}, {model.size_bytes} "
            "bytes): was the flash written?"
        )
    if arena.used_bytes != predicted.used_bytes:
        raise BoardRunError(
            f"the arena is {arena.used_bytes} bytes on the board, {predicted.used_bytes} predicted"
        )
    if len(outputs) != job.repeats:
        raise BoardRunError(f"{len(outputs)} runs were reported, {job.repeats} asked for")
    if not _has_state(job) and len(set(outputs.values())) > 1:
        raise BoardRunError("runs on equal inputs gave different outputs: the board is not stable")
    host, reason = compare_with_host(content, job.inputs, outputs[0])
    return BoardRun(
        hello,
        tuple(run.cyccnt / hello.clock_hz for run in report.runs.values()),
        tuple(run.invoke.cyccnt / hello.clock_hz for run in report.runs.values() if run.invoke),
        tuple((item.name, item.cyccnt) for item in report.runs[0].operators),
        host,
        reason,
        _check_layers(job, report) if job.sends_layers else None,
    )


def _check_layers(job: Job, report: FirmwareReport) -> LayerCheck:
    arena = job.prediction.arena
    expected, reason = host_layers(job.firmware.content, arena, job.inputs)
    if reason:
        return LayerCheck(0, reason=reason)
    contents = {number: bytes(layer) for number, layer in report.runs[0].layers.items()}
    return compare_layers(arena, contents, expected)


def _has_state(job: Job) -> bool:
    """Whether an inference may depend on those before it."""
    parts = job.prediction.arena.prepared.graph.subgraphs
    return any(tensor.is_variable for part in parts for tensor in part.tensors) or any(
        op.name in _STATEFUL for part in parts for op in part.operators
    )


def row(run: BoardRun, job: Job, model: str) -> Row:
    """The measurement for a file of them, of the model at a path beside that file."""
    prediction = job.prediction
    # To the millisecond: a small model is measured twice within a second.
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return Row(
        model=model,
        board=prediction.board.name,
        clock_hz=run.hello.clock_hz,
        runtime=f"TFLM {run.hello.tflm}, firmware of this project",
        revision=prediction.revision.name,
        kernels=run.hello.kernels,
        latency_s=run.latency_s,
        repeats=len(run.latencies_s),
        source=f"predict measure {moment}",
        sha256=prediction.sha256 or "",
    )


def with_energy(
    row: Row, run: BoardRun, windows: tuple[Window, ...], supply_v: float | None = None
) -> Row:
    """The measurement with its energy: mean power in the marked windows, times the latency.

    Raises:
        MeasurementError: the windows are not those of this run.
    """
    if len(windows) != len(run.pulses_s):
        raise MeasurementError(
            f"the trace holds {len(windows)} inferences, the board ran {len(run.pulses_s)}: record "
            "from before the first to after the last, and nothing else"
        )
    for number, (window, pulse_s) in enumerate(zip(windows, run.pulses_s, strict=True), 1):
        sample_s = window.duration_s / window.samples
        if abs(window.duration_s - pulse_s) > 2 * sample_s + TRACE_TOLERANCE * pulse_s:
            raise MeasurementError(
                f"inference {number} lasts {window.duration_s:.6g} s in the trace and "
                f"{pulse_s:.6g} s by the board's counter: the trace is of another run, or its "
                "clock is off"
            )
    watts = median(window.energy_j / window.duration_s for window in windows)
    return replace(row, energy_j=watts * run.latency_s, supply_v=supply_v)
