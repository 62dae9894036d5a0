"""Writes one of the example models: ``python -m benchmarks.example_model OUT.tflite``."""

from __future__ import annotations

import sys
from pathlib import Path

from predictor.model.example_models import ds_cnn


def main() -> None:
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ds_cnn().build())
    print(f"wrote {path} ({path.stat().st_size:,} bytes): DS-CNN for keyword spotting")


if __name__ == "__main__":
    main()
