"""``nas verify``: a run's file against predictor, emulator and test set."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nas.cli.options import FOLDER
from nas.cli.tables import verification_text
from predictor.cli.options import OUTPUT_PATH, format_option
from predictor.cli.output import emit
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS


@click.command(name="verify", short_help="Hold a run's file against predictor and test set.")
@click.argument("run", type=FOLDER)
@click.option("--data", "data_path", type=FOLDER, help="Folder of a public data set.")
@format_option("text", "json")
@click.option("--output", type=OUTPUT_PATH, help="Write the table to this file.")
def command(run: Path, data_path: Path | None, form: str, output: Path | None) -> int:
    """Compare what was searched with what is predicted and measured of RUN/model.tflite."""
    from nas.pipeline import verify_run

    table = verify_run(run, data_path)
    text = json.dumps(table, indent=2) + "\n" if form == "json" else verification_text(table)
    emit(text, output)
    return EXIT_FITS if table["fits"] else EXIT_DOES_NOT_FIT
