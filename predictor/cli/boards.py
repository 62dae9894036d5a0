"""``predict boards``: the boards that ship with the package, or all about one board."""

from __future__ import annotations

import click

from predictor.boards.board import Board, find_board, shipped_boards
from predictor.cli.boards_new import new
from predictor.console.options import BYTES, format_option
from predictor.console.output import emit, emit_text
from predictor.errors import EXIT_FITS, UsageError

_LIST = "list"


class _Boards(click.Group):
    """Lists, unless the command line says ``new``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] == [new.name] else [_LIST, *args])


@click.group(cls=_Boards, name="boards", short_help="List the boards that are known.")
def command() -> None:
    """The boards that are known, and files for others."""


@command.command(name=_LIST)
@click.argument("board", required=False)
@click.option("--core", metavar="CORE", help="Only boards with this core: cortex-m33, or m33.")
@click.option("--min-ram", type=BYTES, help="Only boards with so much RAM, e.g. 256KB.")
@click.option("--min-flash", type=BYTES, help="Only boards with so much flash, e.g. 1MB.")
@click.option("--vendor", metavar="NAME", help="Only boards of this maker: st, arduino, nordic.")
@format_option("text", "json")
def listed(
    board: str | None,
    core: str | None,
    min_ram: int | None,
    min_flash: int | None,
    vendor: str | None,
    form: str,
) -> int:
    """List the boards that are known, or all that is known of BOARD: its calibrations, too.

    \b
    predict boards --core m33 --min-ram 256KB
    predict boards nrf52840
    predict boards new --help           describe yours

    BOARD is a name, or the path of a TOML file like those of the boards that ship; --board takes
    such a path as well.
    """
    from predictor.report import boards

    asked = (core, min_ram, min_flash, vendor)
    if board is not None and any(item is not None for item in asked):
        raise UsageError("name a board, or say which boards to list; not both")
    found = [find_board(board)] if board is not None else shipped_boards()
    chosen = [item for item in found if _is_meant(item, core, min_ram, min_flash, vendor)]
    if form == "json":
        from predictor.report.json_report import dumps

        emit(dumps([boards.board_json(item) for item in chosen]) + "\n", None)
    elif board is not None:
        emit_text(boards.board_text(chosen[0]))
    else:
        emit_text(boards.boards_text(chosen))
    return EXIT_FITS


def _is_meant(
    board: Board,
    core: str | None,
    min_ram: int | None,
    min_flash: int | None,
    vendor: str | None,
) -> bool:
    return (
        (core is None or board.core.name == f"cortex-{core.lower().removeprefix('cortex-')}")
        and board.sram_bytes >= (min_ram or 0)
        and board.flash_bytes >= (min_flash or 0)
        and (vendor is None or board.title.lower().split()[0] == vendor.lower())
    )


command.add_command(new)
