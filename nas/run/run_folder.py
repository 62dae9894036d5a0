"""The folder of a run: configuration, metrics, checkpoint and results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nas.training.checkpoint import write_bytes
from predictor.errors import OutputError, UsageError

CONFIG, METRICS, CHECKPOINT = "config.json", "metrics.jsonl", "checkpoint.npz"
RESULT, WEIGHTS, MODEL, VERIFICATION = "result.json", "network.npz", "model.tflite", "verify.json"
_PACKAGES = ("mcu-predictor", "tensorflow-cpu", "tensorflow", "keras", "numpy", "ai-edge-litert")


class RunFolder:
    """A run on disk. Files are written whole or not at all; metrics are appended by line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        write_bytes(self.path / name, text.encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the run.

        Raises:
            UsageError: it is not there or damaged.
        """
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise UsageError(f"{self.path} is no finished run: it has no {name}") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is damaged: {error}") from error
        return content

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def append_metrics(self, row: dict[str, Any]) -> None:
        try:
            with (self.path / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self.path / METRICS}: {error.strerror}") from error

    def metrics(self) -> Iterator[dict[str, Any]]:
        path = self.path / METRICS
        if path.is_file():
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def keep_metrics(self, count: int) -> None:
        """Drops the lines after the first ``count``: what an interrupted epoch had written."""
        lines = [json.dumps(row, sort_keys=True) for row in self.metrics()][:count]
        write_bytes(self.path / METRICS, "".join(line + "\n" for line in lines).encode())


def versions() -> dict[str, str]:
    """Versions of the packages that decide a run's results."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
