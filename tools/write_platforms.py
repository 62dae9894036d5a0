"""Writes the platform files of the boards that ship: ``python -m tools.write_platforms``."""

from __future__ import annotations

from predictor.boards.board import shipped_boards
from predictor.emulation.platform.board_platform import platform_text, platforms_folder


def main() -> None:
    for board in shipped_boards():
        path = platforms_folder() / f"{board.name}.repl"
        path.write_text(platform_text(board), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
