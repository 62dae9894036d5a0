"""Measures again what a changed kernel or TFLM revision invalidates: ``make recount TFLM=DIR``.

DIR is a source tree of TFLM in which its own Makefile has built the libraries; a missing one is
named with the command that builds it. What is measured, step by step:

truth: what TFLM takes for the models of ``truth/``, on each core with each of its kernel sets.
counts: what layers execute (``tools/costs/data``), with these and with the project's kernels.
fits: costs of loops from these counts, and the proxy of operators without a formula.
sizes: code of the operators (``predictor/memory/code_size``).

A step that needs no TFLM tree, such as counts of the packaged TFLM, is done in any case.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from predictor.boards.board import Board
from predictor.errors import UsageError
from predictor.kernel_sets import MN
from predictor.memory.revision import DEFAULT_REVISION, load_revision
from tools.boards import BOARDS
from tools.code_size import profile
from tools.costs import fit_costs, fit_models, fit_proxy, layer_counts
from tools.costs.truth_layers import SHARED
from truth import measure as truth

TFLM_KERNELS = ("cmsis_nn", "reference")
_LOGGING, _STRIPPED = "release_with_logs", "release"
_OPTIMIZED_DIR = {"cmsis_nn": "cmsis_nn"}
"""TFLM's OPTIMIZED_KERNEL_DIR by kernel set; others come with its reference kernels."""
_MAKE = (
    "make -f tensorflow/lite/micro/tools/make/Makefile TARGET=cortex_m_generic "
    "TARGET_ARCH={arch} BUILD_TYPE={build}{options} microlite"
)


def library(tree: Path, core: str, kernels: str, build: str = _LOGGING) -> Path:
    """The folder of a library in TFLM's tree, where its Makefile puts it.

    Args:
        kernels: "mn" stands beside a library with reference kernels.
        build: TFLM's BUILD_TYPE.

    Raises:
        UsageError: it has not been built; says how.
    """
    optimized = _OPTIMIZED_DIR.get(kernels)
    arch = f"{core}+fp"
    suffix = f"_{optimized}" if optimized else ""
    folder = tree / "gen" / f"cortex_m_generic_{arch}_{build}{suffix}_gcc" / "lib"
    if folder.is_dir():
        return folder
    options = f" OPTIMIZED_KERNEL_DIR={optimized}" if optimized else ""
    if core == "cortex-m7" and build == _LOGGING:
        options += " FPU=fpv5-sp-d16"  # emulators lack the double-precision unit
    command = _MAKE.format(arch=arch, build=build, options=options)
    raise UsageError(f"{folder} is missing: in {tree}, {command}")


def recount_truth(tree: Path, board: Board) -> None:
    for kernels in TFLM_KERNELS:
        truth.measure(library(tree, board.core.name, kernels), board, DEFAULT_REVISION)


def _counted_sets(core: str) -> list[tuple[Path, str, str]]:
    """Files of counts on a core, with their revision and kernel set."""
    found = []
    for path in sorted(fit_costs.DATA.glob(f"*_{core}.csv")):
        revision, _, rest = path.stem.partition("_")
        found.append((path, revision, rest.removesuffix(f"_{core}")))
    return found


def recount_layers(tree: Path, board: Board) -> None:
    for path, revision, kernels in _counted_sets(board.core.name):
        is_packaged = revision != DEFAULT_REVISION
        tflm = None if is_packaged else library(tree, board.core.name, kernels)
        print(f"counting {path.name}", flush=True)
        layer_counts.count_again(path, board.name, tflm, kernels)


def refit(_: Path, board: Board) -> None:
    """Costs of the project's kernels rest on its own counts alone, others on the ground truth, too:
    without it, theirs stay as they are."""
    core = board.core.name
    for path, revision, kernels in _counted_sets(core):
        kernel_set = load_revision(revision, kernels).kernel_set
        uses_truth = revision == DEFAULT_REVISION and kernel_set.on is None
        if uses_truth and not SHARED.is_dir():
            print(f"{path.name}: not fitted, the ground truth ({SHARED}) is not at hand")
            continue
        fill_from = next(iter(sorted(BOARDS))) if uses_truth else None
        fit_costs.fit_set(
            revision,
            kernels,
            core,
            uses_truth=uses_truth,
            fill_from=None if fill_from == core else fill_from,
        )
    fit_proxy.main()
    if core == fit_models.KNOWN_CORE and SHARED.is_dir():
        fit_models.fit_all()


def recount_sizes(tree: Path, board: Board) -> None:
    for kernels in (*TFLM_KERNELS, MN):
        profile.measure(board, kernels, library(tree, board.core.name, kernels, _STRIPPED))
    for kernels in ("reference", MN):
        profile.measure(board, kernels, None)


STEPS: dict[str, Callable[[Path, Board], None]] = {
    "truth": recount_truth,
    "counts": recount_layers,
    "fits": refit,
    "sizes": recount_sizes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="TFLM's source tree with built libraries")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--cores", nargs="+", choices=BOARDS, default=sorted(BOARDS))
    arguments = parser.parse_args()
    try:
        for step in arguments.steps:
            for core in arguments.cores:
                print(f"{step}: {core}", flush=True)
                STEPS[step](arguments.tree, BOARDS[core])
    except UsageError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
