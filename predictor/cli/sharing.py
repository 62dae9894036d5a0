"""``predict A B --shared-arena``: several models whose interpreters share an arena."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from predictor.cli.options import ALL_BOARDS, ALL_TFLMS
from predictor.console.output import emit, terminal_width, wants_color
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError, UsageError
from predictor.start import say


def predict_shared_arena(
    models: Sequence[Path],
    board: str,
    form: str,
    output: Path | None,
    options: dict[str, Any],
    *,
    quiet: bool,
) -> int:
    """Reports on the models together; the exit code is that of one model.

    Raises:
        UsageError: what is asked for holds for one model, board or TFLM.
    """
    from predictor.report import sharing as views
    from predictor.report.layout import render
    from predictor.sharing import predict_sharing

    if board == ALL_BOARDS or options["tflm"] == ALL_TFLMS:
        raise UsageError("--shared-arena holds for one board and one TFLM")
    found = predict_sharing(models, board, **options)
    if not quiet or output is not None:
        if form == "text":
            said = render(views.text(found), terminal_width(output), wants_color(output))
        else:
            said = (views.to_json if form == "json" else views.markdown)(found)
        emit(said, output)
    if quiet and not found.fits:
        say("predict: the models do not fit")
    for model, prediction in zip(models, found.predictions, strict=True):
        if prediction.invoke_errors:
            say(f"predict: {model}: Invoke will fail: {prediction.invoke_errors[0]}")
            return PredictorError.exit_code
    return EXIT_FITS if found.fits else EXIT_DOES_NOT_FIT
