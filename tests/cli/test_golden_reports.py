"""Reports of an example model against golden files.

To accept a changed report, look at it and run ``python -m pytest tests/cli -k golden
--accept-golden``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.model.example_models import ds_cnn, mobilenet_v2

GOLDEN = Path(__file__).parents[1] / "golden"

REPORTS = {
    "ds_cnn_f446re.txt": ["ds_cnn.tflite", "--board", "f446re"],
    "ds_cnn_per_layer.md": ["ds_cnn.tflite", "--format", "markdown", "--per-layer"],
    "ds_cnn_f446re.json": ["ds_cnn.tflite", "--board", "f446re", "--format", "json"],
    "mobilenet_v2_does_not_fit.txt": [
        "mobilenet_v2.tflite", "--board", "f446re", "--reserve-ram", "64KB", "--max-macs", "1M",
    ],
    "mobilenet_v2_all_boards.txt": ["mobilenet_v2.tflite", "--board", "all"],
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_golden_report(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ds_cnn.tflite").write_bytes(ds_cnn().build())
    Path("mobilenet_v2.tflite").write_bytes(mobilenet_v2().build())
    run(REPORTS[name])
    printed = capsys.readouterr().out
    golden = GOLDEN / name
    if request.config.getoption("--accept-golden"):
        golden.write_text(printed)
    if name.endswith(".json"):
        assert json.loads(printed) == json.loads(golden.read_text())
    else:
        assert printed == golden.read_text()
