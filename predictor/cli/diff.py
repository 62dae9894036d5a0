"""``predict diff``: the user's own firmware against the prediction."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.options import prediction_options
from predictor.console.options import format_option
from predictor.console.output import emit, emit_text
from predictor.errors import EXIT_FITS, PredictorError, UsageError
from predictor.prediction import DEFAULT_BOARD

if TYPE_CHECKING:
    from predictor.proof.operator_code import OperatorCode


@click.command(name="diff", short_help="Hold your own firmware against the prediction.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--elf",
    type=click.Path(path_type=Path),
    help="Your program as it was linked, with symbols.",
)
@click.option(
    "--map",
    "map_path",
    type=click.Path(path_type=Path),
    help="Instead: the map that GNU ld wrote of it.",
)
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Board name or file.")
@click.option("--arena-symbol", metavar="NAME", help="Name of the arena's array.")
@prediction_options
@format_option("text", "json")
def command(
    model: Path,
    elf: Path | None,
    map_path: Path | None,
    board: str,
    arena_symbol: str | None,
    form: str,
    **options: Any,
) -> int:
    """Say whether the firmware in an ELF file or a linker's map agrees with what MODEL takes.

    Finds operators that no resolver registers, an arena that is too small, other kernels than
    were meant, TFLM compiled without optimisation, and a model that is copied into RAM. Exit code
    1 where one is found.
    """
    from predictor.prediction import predict
    from predictor.proof.firmware_diff import diff_firmware

    path = elf or map_path
    if path is None or (elf and map_path):
        raise UsageError("name your program: --elf, or --map for the linker's map")
    prediction = predict(model, board, **options)
    found = diff_firmware(prediction, path, arena_symbol)
    required = prediction.arena.required_bytes
    arena_bytes = None if found.arena is None else found.arena.size_bytes
    if form == "json":
        from predictor.report.json_report import dumps

        content = {
            "operators": list(found.operators),
            "arena_symbol": None if found.arena is None else found.arena.name,
            "arena_bytes": arena_bytes,
            "required_arena_bytes": required,
            "tflm": found.tflm,
            "kernels": found.kernels,
            "flash_bytes": found.flash_bytes,
            "predicted_flash_bytes": prediction.flash.total_bytes,
            "operator_code": [asdict(it) for it in found.code],
            "mistakes": [{"kind": it.kind, "text": it.words} for it in found.mistakes],
            "unchecked": list(found.unchecked),
        }
        emit(dumps(content) + "\n", None)
    else:
        arena = "not found" if arena_bytes is None else f"{arena_bytes:,} B"
        lines = [
            f"operators  {len(found.operators)} registered, "
            f"{len(prediction.deployed.graph.operator_labels)} in the model",
            f"arena      {arena}, {required:,} B needed",
            f"TFLM       {found.tflm}, {found.kernels} kernels",
            f"flash      {found.flash_bytes:,} B in all, {prediction.flash.total_bytes:,} B "
            "predicted for TFLM and the model",
        ]
        lines += [f"MISTAKE    {it.words}" for it in found.mistakes] or ["no mistake found"]
        lines += [f"unchecked  {words}" for words in found.unchecked]
        emit_text("\n".join(lines) + "\n" + _code(found.code))
    return PredictorError.exit_code if found.mistakes else EXIT_FITS


def _code(code: tuple[OperatorCode, ...]) -> str:
    """A table of the code of operators, largest first; empty where it is not known."""
    if not code:
        return ""
    from predictor.report.layout import Column, Table, render, right, words

    table = Table((Column("code of operators"), *right("B linked", "predicted")))
    for row in code:
        predicted = "-" if row.predicted_bytes is None else f"{row.predicted_bytes:,}"
        table.add_row(row.operator, f"{row.linked_bytes:,}", predicted)
    return render([words(), table])
