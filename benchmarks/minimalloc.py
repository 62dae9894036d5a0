"""Memory plans of allocation problems in MiniMalloc's CSV form: height and seconds of each.

A file's name ends in the height that is known to suffice, as in ``A.1048576.csv``.

    python -m benchmarks.minimalloc FILES
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from predictor.optimization.exact_planner import solve
from tools.minimalloc import read_problem


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
