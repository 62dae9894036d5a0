"""Arena and instructions of optimised models: ``python -m benchmarks.optimize MODEL.tflite ...``

Writes ``docs/optimize.md``'s table to standard output: a network of MicroNet-AD-L's shape and each
model as TFLM runs it today, optimised for the same kernels, and optimised for the project's own
kernels. Instructions with CMSIS-NN are those of the instruction model; those with our kernels are
counted by running the optimised file in the packaged firmware in emulation (``--count``, a minute a
model).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.networks import micronet_ad_l
from predictor.errors import PredictorError
from predictor.optimization.optimization import Optimization, count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions

BOARD = "f446re"
NAMES = {
    "tflm_person_detect": "TFLM person detection",
    "zoo_ad_small_int8": "MicroNet-AD-S",
    "mlperf_ic_int8": "MLPerf Tiny IC (ResNet)",
    "mlperf_kws_int8": "MLPerf Tiny KWS (DS-CNN)",
    "zoo_ds_cnn_s_quantized": "ML-Zoo DS-CNN-S",
    "mlperf_ad01_int8": "MLPerf Tiny AD (autoencoder)",
    "tflm_micro_speech_quantized": "TFLM micro speech",
    "tflm_keyword_scrambled_8bit": "TFLM keyword (SVDF)",
    "tflm_trained_lstm_int8": "TFLM LSTM",
    "tflm_hello_world_int8": "TFLM hello world",
}
HEADING = (
    "| model | TFLM today | optimised, CMSIS-NN | | optimised, our kernels | |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: |"
)


def counted_instructions(content: bytes) -> int | None:
    """Instructions of an inference with our kernels, counted in emulation; None if it fails."""
    command = [sys.executable, "-m", "predictor.cli.main", "emulate", "--board", BOARD]
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(content)
        file.flush()
        command += ["--kernels", "mn", "--format", "json", file.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return None
    return int(json.loads(result.stdout)["instructions"]["invoke"])


def millions(instructions: float) -> str:
    return f"{instructions / 1e6:,.2f} M"


def share(after: int, before: int) -> str:
    return f"{100 * (after - before) / before:+.0f} %" if after != before else "0 %"


def row(label: str, content: bytes, count: bool) -> str:
    """A model's line of the table."""
    settings = OptimizeOptions(instructions=count_instructions)
    same, own = (
        optimize_model(content, BOARD, settings, kernels=kernels) for kernels in ("cmsis_nn", "mn")
    )
    before = same.optimized.before.used_bytes
    today = same.optimized.instructions
    cells = [label, f"{before:,} B, {millions(today)}"]
    for result in (same, own):
        used = result.optimized.after.used_bytes
        cells += [f"{used:,} B ({share(used, before)})"]
        cells += [_instructions(result, today, count)]
    return f"| {' | '.join(cells)} |"


def _instructions(result: Optimization, today: float, count: bool) -> str:
    if result.before.revision.kernel_set.on is None:
        extra = result.extra_instructions_percent
        return f"{millions(today + result.optimized.extra_instructions)} (+{extra:.1f} %)"
    counted = counted_instructions(result.content) if count else None
    if counted is None:
        return "not counted"
    return f"{millions(counted)} ({100 * (counted - today) / today:+.0f} %)"


def table(paths: list[Path], count: bool) -> Iterator[str]:
    """The lines, models that cannot be predicted left out."""
    yield HEADING
    yield row("a network of MicroNet-AD-L's shape", bytes(micronet_ad_l().build()), count)
    for path in paths:
        try:
            yield row(NAMES.get(path.stem, path.stem), path.read_bytes(), count)
        except (OSError, PredictorError) as error:
            print(f"{path}: {error}", file=sys.stderr)


if __name__ == "__main__":
    for line in table([Path(a) for a in sys.argv[1:] if a != "--count"], "--count" in sys.argv):
        print(line, flush=True)
