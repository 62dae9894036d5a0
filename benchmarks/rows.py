"""Planned bytes with layers in rows: ``python -m benchmarks.rows [MODEL.tflite ...]``

Writes the tables of ``docs/optimize.md`` to standard output. Each network, the project's own and
the files that are named: the plan of today's TFLM, the best one with overlaps alone and the best
one with groups of layers in rows, all with the project's kernels; what the rows take more of
instructions than the same kernels layer by layer, and how that compares with CMSIS-NN. Then the
networks of msf-CNN, beside the points that it published (``--msf FILE``).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.networks import micronet_ad_l, msf_mcunet_vww, msf_mobilenet_v2
from benchmarks.optimize import BOARD, NAMES
from predictor.model.example_models import ds_cnn, mobilenet_v2, person_detection
from predictor.optimization.optimization import Optimization, count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.prediction import predict

TIME_LIMIT_S = 120.0
MAX_SLOWDOWN = 0.05
HEADING = (
    "| model | TFLM today | overlaps alone | rows | instructions | against CMSIS-NN |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: |"
)
MSF_HEADING = (
    "| network | rows, input included | without the input | MACs | msf-CNN: bytes at a factor |\n"
    "| --- | ---: | ---: | ---: | --- |"
)


def networks(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    """Label and content of each model."""
    for path in map(Path, paths):
        yield NAMES.get(path.stem, path.stem), path.read_bytes()
    yield "a network of MicroNet-AD-L's shape", bytes(micronet_ad_l().build())
    yield "MobileNetV2 0.35, 96 x 96 x 3", bytes(mobilenet_v2().build())
    yield "MobileNetV2 0.35, 96 x 96 x 1", bytes(mobilenet_v2(depth=1).build())
    yield "MobileNetV1 0.25, 128 x 128 x 1", bytes(person_detection(size=128).build())
    yield "MobileNetV1 0.5, 96 x 96 x 1", bytes(person_detection(width=0.5).build())
    yield "DS-CNN, 128 channels", bytes(ds_cnn(channels=128).build())


def optimized(content: bytes, most: float) -> Optimization:
    """With our kernels; no extra instructions at all leave out all groups."""
    settings = OptimizeOptions(
        time_limit_s=TIME_LIMIT_S,
        max_slowdown=most,
        instructions=count_instructions,
        compact=False,
    )
    return optimize_model(content, BOARD, settings, kernels="mn")


def row(label: str, content: bytes) -> str:
    """A model's line of the table."""
    found = [optimized(content, most) for most in (0.0, MAX_SLOWDOWN)]
    alone, rows = (item.optimized.after.nonpersistent_bytes for item in found)
    before = found[0].optimized.before.nonpersistent_bytes
    extra = found[1].extra_instructions_percent
    theirs = predict(content, BOARD, kernels="cmsis_nn").arena.prepared
    ours = found[1].optimized
    share = (ours.instructions + ours.extra_instructions) / sum(count_instructions(theirs))
    return (
        f"| {label} | {before:,} | {alone:,} | **{rows:,}** | {extra:+.1f} % | "
        f"{100 * (share - 1):+.0f} % |"
    )


def msf_row(name: str, content: bytes, published: list[dict[str, str]]) -> str:
    """A network of msf-CNN, whose memory leaves the input out."""
    found = optimized(content, MAX_SLOWDOWN)
    main = found.before.graph.main
    input_bytes = sum(main.tensors[index].stored_bytes for index in main.inputs)
    planned = found.optimized.after.nonpersistent_bytes
    points = {
        (float(item["mac_overhead_factor"]), int(item["fused_memory_bytes"]))
        for item in published
        if item["model"] == name
    }
    theirs = ", ".join(f"{size:,} at {factor:.2f}" for factor, size in sorted(points))
    macs = f"{found.before.ops.total_macs:,}"
    return f"| {name} | **{planned:,}** | {planned - input_bytes:,} | {macs} | {theirs} |"


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--msf"]:
        lines = Path(arguments[1]).read_text(encoding="utf-8").splitlines()
        published = list(csv.DictReader(lines))
        print(MSF_HEADING)
        print(msf_row("MBV2-w0.35-r144", bytes(msf_mobilenet_v2().build()), published), flush=True)
        print(msf_row("MCUNetv2-vww-5fps-r80", bytes(msf_mcunet_vww().build()), published))
        return
    print(HEADING)
    for label, content in networks(arguments):
        print(row(label, content), flush=True)


if __name__ == "__main__":
    main()
