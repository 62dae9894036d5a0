"""The paper's Table 4 beside predictions: ``python -m benchmarks.paper FOLDER``.

FOLDER holds the networks of ``paper_table4.csv``. The table goes into docs/explanation/paper.md.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from predictor.boards.board import shipped_boards
from predictor.prediction import Prediction, on_board, predict

TABLE = Path(__file__).with_name("paper_table4.csv")
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "paper.md"
BEGIN, END = "<!-- table of benchmarks/paper.py -->\n", "<!-- end of table -->\n"


def _pair(published: str, predicted: str) -> str:
    return f"{published or '-'} \\| {predicted}"


def _time(row: dict[str, str], prediction: Prediction) -> str:
    published = row[f"latency_{prediction.board.name}_s"]
    interval = prediction.latency.intervals.interval_80
    milliseconds = [
        f"{1e3 * value:.3g}" for value in (prediction.latency.seconds, interval.low, interval.high)
    ]
    return _pair(
        f"{1e3 * float(published):.4g}" if published else "",
        "{} ({} to {})".format(*milliseconds),
    )


def _energy(row: dict[str, str], prediction: Prediction) -> str:
    published = row.get(f"energy_{prediction.board.name}_mj", "")
    if prediction.energy is None:
        return _pair(published, "-")
    return _pair(published, f"{1e3 * prediction.energy.joules:.3g}")


def table(folder: Path) -> str:
    """Markdown: published and predicted figures of each network."""
    boards = shipped_boards()
    heads = ["network", "model file, KB", "SRAM, bytes"]
    heads += [f"{board.name}, ms" for board in boards]
    heads += [f"{board.name}, mJ" for board in boards if board.power.convolution]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    with TABLE.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for row in rows:
        first = predict(folder / row["file"], boards[0])
        on_boards = [on_board(first, board) for board in boards]
        cells = [
            row["model"],
            _pair(row["flash_kb"], f"{first.flash.model_bytes / 1024:.1f}"),
            _pair(f"{int(row['sram_bytes']):,}", f"{first.arena.used_bytes:,}"),
            *(_time(row, prediction) for prediction in on_boards),
            *(_energy(row, item) for item in on_boards if item.board.power.convolution),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(Path(sys.argv[1]))}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
