"""``predict tflm``: the user's own TFLM, registered once for all commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.console.options import format_option
from predictor.console.output import emit_text
from predictor.errors import EXIT_FITS, OutputError
from predictor.files import write_file

if TYPE_CHECKING:
    from predictor.firmware.user_tflm import UserTflm


class _TflmGroup(click.Group):
    """Takes what is no command for the name of a TFLM, to say what that is."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is not None or cmd_name.startswith("-"):
            return found
        shown = partial(_show, cmd_name)
        return click.Command(cmd_name, callback=shown, params=[_format_parameter()])


@click.group(
    name="tflm",
    cls=_TflmGroup,
    invoke_without_command=True,
    short_help="TFLMs that are known; register one of your own.",
)
@click.pass_context
def command(context: click.Context) -> int:
    """Say which TFLM predictions and firmware are about, and register one of your own.

    \b
    predict tflm list                 the TFLMs that are known
    predict tflm arduino              what one of them has, and what it lacks
    predict tflm use ~/tflite-micro   from now on all commands are about this one
    predict tflm                      which it is
    predict tflm forget               back to what predict knows best
    """
    if context.invoked_subcommand is None:
        emit_text(_registered())
    return EXIT_FITS


@command.command(name="list")
@format_option("text", "json")
def list_all(form: str) -> int:
    """List the TFLMs that predictions know, those that others ship and upstream by date."""
    from predictor.memory.revision import device_revisions
    from predictor.report.json_report import dumps
    from predictor.report.tflms import revision_json, revisions_text

    if form == "json":
        emit_text(dumps({"tflms": [revision_json(name) for name in device_revisions()]}) + "\n")
    else:
        emit_text(revisions_text())
    return EXIT_FITS


def _format_parameter() -> click.Parameter:
    return click.Option(["--format", "form"], type=click.Choice(["text", "json"]), default="text")


def _show(name: str, form: str) -> int:
    """What one TFLM has, and what it lacks.

    Raises:
        RevisionError: there is none of that name.
    """
    from predictor.report.json_report import dumps
    from predictor.report.tflms import revision_json, revision_text

    emit_text(dumps(revision_json(name)) + "\n" if form == "json" else revision_text(name))
    return EXIT_FITS


@command.command(name="use")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--tflm", metavar="REV", help="Revision to predict it by. Default: read from it.")
def use(path: Path, tflm: str | None) -> int:
    """Register PATH: TFLM's source tree after its build, a folder in it, or one library.

    Its revision is read from the sources, kernel set and cores from the libraries. Predictions are
    then those of this TFLM, and firmware links it.
    """
    from predictor.firmware.registered_tflm import registration_file, registration_text
    from predictor.firmware.user_tflm import read_user_tflm

    found = read_user_tflm(path, tflm)
    file = registration_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {file.parent}: {error.strerror}") from error
    write_file(file, registration_text(found, tflm is not None))
    emit_text(_text(found))
    return EXIT_FITS


@command.command(name="forget")
def forget() -> int:
    """Forget the registered TFLM."""
    from predictor.firmware.registered_tflm import registration_file

    file = registration_file()
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove {file}: {error.strerror}") from error
    emit_text(_registered())
    return EXIT_FITS


def _registered() -> str:
    from predictor.firmware.packaged_tflm import PackagedTflm
    from predictor.firmware.registered_tflm import registered_tflm
    from predictor.memory.revision import DEFAULT_REVISION, kernel_sets

    found = registered_tflm()
    if found is not None:
        return _text(found)
    kernels, packaged = kernel_sets(DEFAULT_REVISION)[0], PackagedTflm()
    return (
        "no TFLM of your own is registered\n"
        f"predicted  TFLM {DEFAULT_REVISION} with {kernels} kernels\n"
        f"linked     {packaged.title} with {packaged.kernels} kernels: firmware runs another TFLM "
        "than is predicted\n"
        "           predict tflm use DIR registers one that you built (docs/howto/own-tflm.md)\n"
    )


def _text(tflm: UserTflm) -> str:
    tree = tflm.tree
    known = tree.sources - len(tree.changed)
    lines = [
        f"{tflm.title}",
        f"revision   {tflm.revision}: {known} of {tree.sources} sources that predictions mirror",
        f"kernels    {tflm.kernels}",
    ]
    for library in tflm.libraries:
        problem = f" (cannot be linked: {library.problem})" if library.problem else ""
        lines += [f"library    {library.path}", f"           {library.words}{problem}"]
    lines += [f"warning    {warning}" for warning in tflm.warnings]
    return "\n".join(lines) + "\n"
