"""``predict boards``: the boards that ship with the package, or all about one board."""

from __future__ import annotations

import click

from predictor.boards.board import find_board, shipped_boards
from predictor.cli.options import format_option
from predictor.cli.output import emit
from predictor.errors import EXIT_FITS


@click.command(name="boards", short_help="List the boards that are known.")
@click.argument("board", required=False)
@format_option("text", "json")
def command(board: str | None, form: str) -> int:
    """List the boards that are known, or all that is known of BOARD: its calibrations, too.

    BOARD is a name, or the path of a TOML file like those of the boards that ship; --board takes
    such a path as well.
    """
    from predictor.report import boards

    if form == "json":
        from predictor.report.json_report import dumps

        found = [find_board(board)] if board is not None else shipped_boards()
        emit(dumps([boards.board_json(item) for item in found]) + "\n", None)
    elif board is not None:
        emit(boards.board_text(find_board(board)), None)
    else:
        emit(boards.boards_text(shipped_boards()), None)
    return EXIT_FITS
