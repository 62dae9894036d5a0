"""``predict boards``: the boards that ship with the package."""

from __future__ import annotations

import click

from predictor.boards.board import shipped_boards
from predictor.cli.options import format_option
from predictor.cli.output import emit


@click.command(name="boards", short_help="List the boards that are known.")
@format_option("text", "json")
def command(form: str) -> int:
    """List the boards that are known. --board also takes the path of a TOML file like theirs."""
    boards = shipped_boards()
    if form == "json":
        from predictor.report.json_report import dumps

        rows = [
            {
                "name": board.name,
                "title": board.title,
                "aliases": list(board.aliases),
                "core": board.core.name,
                "clock_hz": board.core.clock_hz,
                "sram_bytes": board.sram_bytes,
                "flash_bytes": board.flash_bytes,
                "regions": [
                    {
                        "name": region.name,
                        "kind": region.kind,
                        "base": region.base,
                        "size_bytes": region.size_bytes,
                    }
                    for region in board.regions
                ],
            }
            for board in boards
        ]
        emit(dumps(rows) + "\n", None)
        return 0
    lines = []
    for board in boards:
        memories = ", ".join(
            f"{region.name} {region.size_bytes // 1024} KB" for region in board.regions
        )
        lines.append(
            f"{board.name:8} {board.title:20} {board.core.name} "
            f"{board.core.clock_hz // 10**6} MHz  {memories}\n"
        )
    emit("".join(lines), None)
    return 0
