"""``nas verify``: a run's file against predictor, emulator and test set."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nas.cli.options import FOLDER
from nas.cli.tables import verification_text
from predictor.console.options import format_option
from predictor.console.output import emit, emit_text
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError


@click.command(
    cls=FileCommand, name="verify", short_help="Hold a run's file against predictor and test set."
)
@click.argument("run", type=FOLDER)
@click.option("--data", "data_path", type=FOLDER, help="Folder of a public data set.")
@click.option("--no-emulation", is_flag=True, help="Leave out the firmware on an emulated board.")
@click.option("--tflm", metavar="REV", help="Revision of the TFLM that firmware links.")
@click.option(
    "--tflm-dir",
    type=click.Path(path_type=Path),
    help="TFLM that you built. Default: what predict tflm use registered, else the packaged one.",
)
@format_option("text", "json")
@click.option("--output", type=OUTPUT_PATH, help="Write the table to this file.")
def command(
    run: Path,
    data_path: Path | None,
    no_emulation: bool,
    tflm: str | None,
    tflm_dir: Path | None,
    form: str,
    output: Path | None,
) -> int:
    """Compare what was searched with what is predicted and measured of RUN/model.tflite.

    Measured: the file's answers on the test set, and its run in TFLM firmware on the emulated
    board where compiler and emulator are installed (predict doctor says how).
    """
    from nas.run.pipeline import verify_run
    from predictor.firmware.registered_tflm import linkable_tflm

    linked = None if no_emulation else linkable_tflm(tflm, tflm_dir)
    table = verify_run(run, data_path, not no_emulation, linked)
    text = json.dumps(table, indent=2) + "\n" if form == "json" else verification_text(table)
    (emit_text if form == "text" else emit)(text, output)
    emulated = table["emulated"]
    if isinstance(emulated, dict) and not emulated["passed"]:
        return PredictorError.exit_code
    return EXIT_FITS if table["fits"] else EXIT_DOES_NOT_FIT
