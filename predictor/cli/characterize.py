"""``predict characterize``: section 3 of the paper, for any board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from predictor.boards.board import find_board
from predictor.console.options import format_option, predicted_tflm, tflm_options
from predictor.console.output import emit, emit_text
from predictor.errors import EXIT_FITS, OutputError
from predictor.files import write_file

_LAYER_BOARDS, _MODEL_BOARDS = ("f767zi",), ("f446re", "f746zg")
"""The boards of the paper's Figure 3, and of Figures 4 and 5."""


@click.command(name="characterize", short_help="Sample random layers or models of a backbone.")
@click.option(
    "--backbone",
    "backbones",
    type=click.Choice(["kws", "image"]),
    multiple=True,
    help="Sample whole models of this backbone; may be repeated. Without it: single layers.",
)
@click.option("--n", "count", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Board name or file; may be repeated. Default: those of the paper.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the samples.")
@click.option(
    "--source",
    type=click.Choice(["model", "emulation"]),
    default="model",
    show_default=True,
    help="Count instructions with the model, or in emulated firmware.",
)
@tflm_options
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: one a processor.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("characterize-out"),
    show_default=True,
    help="Folder for the samples, summary.json and the figures.",
)
@format_option("text", "json")
def command(
    backbones: tuple[str, ...],
    count: int,
    boards: tuple[str, ...],
    seed: int,
    source: str,
    kernels: str | None,
    tflm: str | None,
    tflm_dir: Path | None,
    jobs: int | None,
    folder: Path,
    form: str,
) -> int:
    """Sample N random layers, or N random models of a backbone, and predict or emulate each.

    Writes the data and the plots of the paper's Figures 3 (latency of layers), 4 (of models) and 5
    (energy and power), and says slope and r2 beside the paper's. An interrupted study goes on where
    it stopped; backbones that were sampled into the same folder before are reported, too.
    """
    from predictor.characterize import report, study
    from predictor.characterize.sampling import LAYERS
    from predictor.firmware.registered_tflm import linkable_tflm
    from predictor.report.json_report import dumps

    own_boards = boards or (_MODEL_BOARDS if backbones else _LAYER_BOARDS)
    for board in own_boards:
        find_board(board)
    linked = None
    if source == study.EMULATION:
        linked = linkable_tflm(tflm, tflm_dir)
        revision, kernels = linked.revision, kernels or linked.kernels
    else:
        found = predicted_tflm(tflm, tflm_dir)
        revision, kernels = found["tflm"], kernels or found.get("library_kernels")
    settings = study.Settings(
        space=backbones[0] if backbones else LAYERS,
        boards=own_boards,
        seed=seed,
        source=source,
        tflm=linked,
        revision=revision,
        kernels=kernels,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    for space in dict.fromkeys(backbones) or (LAYERS,):
        settings = replace(settings, space=space)
        with _progress_bar(space) as progress:
            own = study.run(settings, count, folder, write_file, jobs=jobs, progress=progress)
    results = (*own, *study.others(settings, folder))
    for name, picture in report.figures(results).items():
        write_file(folder / name, picture)
    summary = dumps(report.summary(results)) + "\n"
    write_file(folder / "summary.json", summary)
    if form == "json":
        emit(summary, None)
    else:
        emit_text(report.text(results))
    return EXIT_FITS


@contextmanager
def _progress_bar(space: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; nothing where no person looks."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    name = TextColumn("{task.description}")
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(space)

        def update(done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole)

        yield update
