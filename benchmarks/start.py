"""CPU of a whole prediction against that of ``import numpy``: ``python -m benchmarks.start MODEL``.

Both run in turn, each as a process of its own, so that the machine's speed falls out of the ratio.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median


def cpu_s(command: list[str]) -> float:
    """User and system seconds of a process."""
    before = os.times()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    numpy = [sys.executable, "-c", "import numpy"]
    for form in ("text", "json"):
        predict = [sys.executable, "-m", "predictor.cli.main", arguments.model, "--format", form]
        pairs = [(cpu_s(predict), cpu_s(numpy)) for _ in range(arguments.runs + 1)][1:]
        ratios = [a / b for a, b in pairs]
        print(
            f"{form}: {1000 * median(a for a, _ in pairs):.0f} ms, {median(ratios):.2f} x numpy "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
