"""Speed of the predictor: ``python -m benchmarks.predictor [MODEL.tflite]``.

Whole-process time is given as a ratio to ``python -c "import numpy"`` on the same machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from math import log2
from pathlib import Path
from statistics import median

from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.example_models import ds_cnn
from predictor.model.random_graphs import chain
from predictor.model.tflite_reader import read_graph
from predictor.prediction import predict_graph


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _process(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL
    )


def whole_process(model: Path, pairs: int = 11) -> None:
    """``predict MODEL`` beside the import of numpy, in turn."""
    predict = _process("-m", "predictor.cli.main", str(model))
    numpy = _process("-c", "import numpy")
    predict(), numpy()
    times = [(_seconds(predict), _seconds(numpy)) for _ in range(pairs)]
    ours, base = median(a for a, _ in times), median(b for _, b in times)
    ratio = median(a / b for a, b in times)
    print(f"whole process   {ours:.3f} s; import numpy {base:.3f} s; ratio {ratio:.2f}")


def predictions_per_second(count: int = 500) -> None:
    """The API on a prepared DS-CNN graph."""
    graph = read_graph(ds_cnn().build())
    predict_graph(graph)
    elapsed = _seconds(lambda: [predict_graph(graph, "f746zg").fits for _ in range(count)])
    with_ops = _seconds(
        lambda: [predict_graph(graph, "f746zg").ops.total_macs for _ in range(count)]
    )
    print(f"verdicts        {count / elapsed:,.0f} per second on a DS-CNN graph")
    print(f"  with op count {count / with_ops:,.0f} per second")


def planning_curve() -> None:
    """Arena of chains with branches; growth beside n log n."""
    revision = load_revision()
    print("operators   seconds   seconds / (n log2 n)")
    for operators in (1_250, 2_500, 5_000, 10_000, 20_000):
        graph = chain(operators, branch_every=5).graph()
        elapsed = min(_seconds(partial(arena, graph, revision)) for _ in range(3))
        print(f"{operators:9,}   {elapsed:7.3f}   {elapsed / operators / log2(operators):.2e}")


def main() -> None:
    if len(sys.argv) > 1:
        whole_process(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "ds_cnn.tflite"
            model.write_bytes(ds_cnn().build())
            whole_process(model)
    predictions_per_second()
    planning_curve()


if __name__ == "__main__":
    main()
