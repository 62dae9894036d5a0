"""Planned bytes with layers in rows: ``python -m benchmarks.rows MODEL.tflite ...``

Writes the table of ``docs/optimize.md`` to standard output: the plan of today's TFLM, the best one
with overlaps alone and the best one with groups of layers in rows, all with the project's kernels,
and what the rows take more of instructions than the same kernels layer by layer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.optimize import BOARD, NAMES
from predictor.optimization.optimization import count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions

TIME_LIMIT_S = 60.0


def row(path: Path) -> str:
    """A model's line of the table. No extra instructions at all leave out all groups."""
    found = [
        optimize_model(
            path,
            BOARD,
            OptimizeOptions(
                time_limit_s=TIME_LIMIT_S,
                max_slowdown=most,
                instructions=count_instructions,
                compact=False,
            ),
            kernels="mn",
        )
        for most in (0.0, None)
    ]
    alone, rows = (item.optimized.after.nonpersistent_bytes for item in found)
    before = found[0].optimized.before.nonpersistent_bytes
    extra = found[1].extra_instructions_percent
    name = NAMES.get(path.stem, path.stem)
    return f"| {name} | {before:,} | {alone:,} | **{rows:,}** | {extra:+.1f} % |"


def main() -> None:
    for path in sys.argv[1:]:
        print(row(Path(path)), flush=True)


if __name__ == "__main__":
    main()
