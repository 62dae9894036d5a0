"""``nas export``: a finished run's network as a file."""

from __future__ import annotations

from pathlib import Path

import click

from nas.cli.options import FOLDER
from predictor.console.output import emit


@click.command(name="export", short_help="Write a run's network as a .tflite file.")
@click.argument("run", type=FOLDER)
def command(run: Path) -> None:
    """Write the network of RUN, a finished run's folder, as RUN/model.tflite."""
    from nas.run.pipeline import export_run, prepare_tensorflow
    from nas.run.run_folder import RESULT, RunFolder

    RunFolder(run).read_json(RESULT)
    prepare_tensorflow(2)
    emit(f"{export_run(run)}\n", None)
