"""Arena of networks in stripes of rows: ``python -m benchmarks.stripes [MODEL.tflite ...]``

Writes the table of ``docs/stripes.md`` to standard output: each network as upstream TFLM with
CMSIS-NN runs it, with a memory plan, and with groups of layers in stripes, at up to 10 % more
instructions. Networks are the project's examples in several sizes, and the files that are named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from predictor.model.example_models import ds_cnn, mobilenet_v2, person_detection
from predictor.optimization.optimization import Optimization, count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions

BOARD = "f446re"
LIMIT_S = 30.0
MAX_SLOWDOWN = 0.1
HEADING = (
    "| network | TFLM's plan | optimised | in stripes | against the plan | operators in stripes |\n"
    "| --- | ---: | ---: | ---: | ---: | --- |"
)


def networks(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    """Label and content of each model."""
    for path in map(Path, paths):
        yield path.stem, path.read_bytes()
    for channels in (64, 128):
        yield f"DS-CNN, {channels} channels", bytes(ds_cnn(channels=channels).build())
    for width in (0.25, 0.5):
        for size in (64, 80, 112, 128, 160):
            content = bytes(person_detection(size=size, width=width).build())
            yield f"MobileNetV1 {width}, {size}x{size}x1", content
    for width, depth in ((0.35, 1), (0.35, 3), (0.5, 3)):
        for size in (64, 80, 96, 128):
            content = bytes(mobilenet_v2(size=size, width=width, depth=depth).build())
            yield f"MobileNetV2 {width}, {size}x{size}x{depth}", content


def _optimized(content: bytes, stripes: bool) -> Optimization:
    settings = OptimizeOptions(
        stripes=stripes,
        max_slowdown=MAX_SLOWDOWN,
        time_limit_s=LIMIT_S,
        instructions=count_instructions,
    )
    return optimize_model(content, BOARD, settings, kernels="cmsis_nn")


def row(label: str, content: bytes) -> str:
    """A network's line of the table."""
    plain, striped = (_optimized(content, stripes) for stripes in (False, True))
    before = plain.optimized.before.required_bytes
    sizes = [item.optimized.after.required_bytes for item in (plain, striped)]
    cells = [label, f"{before:,} B"]
    for size, item in zip(sizes, (plain, striped), strict=True):
        percent = item.extra_instructions_percent
        cells.append(f"{size:,} B ({_share(size, before)}), {percent:+.1f} %")
    cells.append(_share(sizes[1], sizes[0]))
    groups = (f"{g.start}..{g.stop - 1} in {g.count}" for g in striped.optimized.stripes)
    return f"| {' | '.join([*cells, ', '.join(groups)])} |"


def _share(after: int, before: int) -> str:
    return f"{100 * (after - before) / before:+.0f} %" if after != before else "0 %"


def main(paths: list[str]) -> None:
    print(HEADING)
    for label, content in networks(paths):
        print(row(label, content), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
