"""``predict export``: a model as a project of the user's own build."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.console.options import folder_option, predicted_tflm, tflm_options
from predictor.console.output import emit_text
from predictor.console.paths import refuse_overwriting
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, UsageError
from predictor.export.ecosystem import Ecosystem, ecosystems, find_ecosystem
from predictor.options import OptionKeywords
from predictor.start import say


@click.command(name="export", short_help="Write a project that runs a model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "ecosystem_name",
    type=click.Choice([*ecosystems()]),
    required=True,
    help="Build system or framework.",
)
@folder_option("Folder for the project.")
@click.option("--board", help="Board name or file. Default: one that is usual there.")
@click.option("--name", help="Name of the model in programs. Default: that of its file.")
@tflm_options
@click.option(
    "--resource-variables",
    type=click.IntRange(min=0, max=1 << 20),
    metavar="N",
    help="Resource variables to make room for; default: the model's.",
)
def command(
    model: Path,
    ecosystem_name: str,
    folder: Path,
    board: str | None,
    name: str | None,
    kernels: str | None,
    tflm: str | None,
    tflm_dir: Path | None,
    resource_variables: int | None,
) -> int:
    """Write a project that runs MODEL: array, resolver, arena, a wrapper, a self-test.

    The operators are exactly the model's, the arena exactly what it takes, for the TFLM that the
    ecosystem ships (--tflm, --tflm-dir and --kernels name another one). A second run writes what
    changed; files that you edited stay as they are. Exit code 3 if the model does not fit the
    board.
    """
    from predictor.export.folder import write_folder
    from predictor.export.project import export_project
    from predictor.prediction import predict
    from predictor.report.notes import misfit

    ecosystem = find_ecosystem(ecosystem_name)
    options = _tflm_of(ecosystem, tflm, tflm_dir)
    options["kernels"], options["resource_variables"] = kernels, resource_variables
    prediction = predict(model, board or ecosystem.board, **options)
    if prediction.invoke_errors:
        raise UsageError(f"TFLM fails when this model runs: {prediction.invoke_errors[0]}")
    if board is not None and not prediction.fits:
        say(f"predict: {model} {misfit(prediction)}")
        return EXIT_DOES_NOT_FIT
    project = export_project(prediction, ecosystem, name)
    for path in project.files:
        refuse_overwriting({"--out": folder / path}, [model])
    done = write_folder(folder, project.files)
    arena = prediction.arena
    lines = [
        f"{folder}: {project.name} for {ecosystem.title}, TFLM {prediction.revision.name} with "
        f"{prediction.revision.kernels} kernels",
        f"arena      {arena.required_bytes:,} B{'' if arena.exact else ', a bound'}",
        f"operators  {len(prediction.deployed.graph.operator_labels)}",
        *done.told(11),
    ]
    if project.test_reason:
        lines.append(f"self-test  runs without comparing: {project.test_reason}")
    emit_text("\n".join(lines) + "\n")
    return EXIT_FITS


def _tflm_of(ecosystem: Ecosystem, tflm: str | None, tflm_dir: Path | None) -> OptionKeywords:
    """Which TFLM: one that is named, that which the ecosystem ships, or the user's own."""
    if ecosystem.revision is None or tflm is not None or tflm_dir is not None:
        return predicted_tflm(tflm, tflm_dir)
    return {"tflm": ecosystem.revision, "library_kernels": ecosystem.kernels}
