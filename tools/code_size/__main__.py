"""Command line of the measurement of code sizes.

Without ``--tflm-dir``: the packaged TFLM, in the project's runner (``2020.07.json``). With it, a
library that the user has built with ``BUILD_TYPE=release``: a minimal program (``2026.08.json``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from predictor.kernel_sets import MN
from tools.boards import BOARDS, LINKED_BOARDS
from tools.code_size.profile import CHECKS, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tflm-dir", type=Path, help="folder of a TFLM library built as release")
    parser.add_argument(
        "--core", choices=LINKED_BOARDS, action="append", help=f"default: {', '.join(BOARDS)}"
    )
    parser.add_argument("--kernels", choices=["reference", "cmsis_nn", MN], default="reference")
    parser.add_argument("--check", type=int, default=CHECKS, help="random sets to link beside")
    arguments = parser.parse_args()
    for core in arguments.core or BOARDS:
        measure(LINKED_BOARDS[core], arguments.kernels, arguments.tflm_dir, arguments.check)


if __name__ == "__main__":
    main()
