"""Memory plans of allocation problems in MiniMalloc's CSV form: height and seconds of each.

Columns: id, lower, upper (first step of life, and the one behind the last), size in bytes; the
file's name ends in the height that is known to suffice, as in ``A.1048576.csv``.

    python -m benchmarks.minimalloc FILES
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

from predictor.optimization.exact_planner import solve
from predictor.optimization.plan_problem import PlanBuffer, PlanProblem


def read_problem(path: Path) -> PlanProblem:
    """The buffers of a file."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return PlanProblem(
        [PlanBuffer(int(r["size"]), int(r["lower"]), int(r["upper"]) - 1) for r in rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each")
    arguments = parser.parse_args()
    print(f"{'problem':24} {'buffers':>8} {'bound B':>10} {'height B':>10} {'s':>7} {'CPU s':>7}")
    for path in arguments.files:
        problem = read_problem(path)
        start = time.monotonic(), time.process_time()
        solution = solve(problem, arguments.time_limit)
        assert not problem.faults(solution.offsets)
        print(
            f"{path.name:24} {len(problem.buffers):8} {solution.bound_bytes:10} "
            f"{solution.height_bytes:10} {time.monotonic() - start[0]:7.2f} "
            f"{time.process_time() - start[1]:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
