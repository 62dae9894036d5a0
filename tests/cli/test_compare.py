"""``predict compare`` through its command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import predict
from predictor.boards.board import shipped_boards
from predictor.cli.main import run
from predictor.model.example_models import ds_cnn
from predictor.report.comparison import BUDGETS, FIGURES, compare, subject

GOLDEN = Path(__file__).parents[1] / "golden"
BASE = predict(ds_cnn().build()).to_json()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("ds_cnn.tflite").write_bytes(ds_cnn().build())
    Path("wide.tflite").write_bytes(ds_cnn(channels=72).build())
    Path("short.tflite").write_bytes(ds_cnn(blocks=3).build())
    return tmp_path


def _printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run(["compare", *arguments])
    return code, capsys.readouterr().out


def test_the_arena_is_the_first_difference(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = _printed(["ds_cnn.tflite", "wide.tflite"], capsys)
    assert code == 0
    before = predict("ds_cnn.tflite").arena.used_bytes
    after = predict("wide.tflite").arena.used_bytes
    first = text.splitlines()[0]
    assert first.startswith("arena used")
    assert f"{before:,}" in first
    assert f"{after:,}  {after - before:+,}" in first


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_golden_comparison(
    form: str,
    models: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    arguments = ["ds_cnn.tflite", "wide.tflite", "short.tflite", "--max-regression", "macs=5%"]
    code, printed = _printed([*arguments, "--format", form], capsys)
    assert code == 3
    golden = GOLDEN / f"comparison.{'md' if form == 'markdown' else 'txt'}"
    if request.config.getoption("--accept-golden"):
        golden.write_text(printed)
    assert printed == golden.read_text()


def _json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    code, printed = _printed([*arguments, "--format", "json"], capsys)
    assert code == 0
    return json.loads(printed)


def test_a_removed_block_is_found(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(["ds_cnn.tflite", "short.tflite"], capsys)
    changes = found["layers"][0]["changes"]
    assert [change["kind"] for change in changes] == ["removed", "removed"]
    assert [change["before"]["operator"] for change in changes] == ["DEPTHWISE_CONV_2D", "CONV_2D"]
    assert found["layers"][0]["same"] == 11


def test_boards_and_kernels(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_option = _json(["ds_cnn.tflite", "--board", "f446re", "--board", "f746zg"], capsys)
    by_name = _json(["ds_cnn.tflite@f446re", "ds_cnn.tflite@f746zg"], capsys)
    assert by_option == by_name
    assert "MACs" not in [row["figure"] for row in by_option["differences"]]
    assert "flash margin" in [row["figure"] for row in by_option["differences"]]
    kernels = _json(["ds_cnn.tflite", "--kernels", "cmsis_nn,reference"], capsys)
    assert [item["label"].rpartition(" on ")[2] for item in kernels["subjects"]] == [
        "f746zg with cmsis_nn kernels",
        "f746zg with reference kernels",
    ]


def test_saved_reports_compare_like_models(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["wide.tflite", "--format", "json", "--output", "wide.json"])
    run(["wide.tflite", "--board", "all", "--format", "json", "--output", "all.json"])
    fresh = _json(["ds_cnn.tflite", "wide.tflite"], capsys)
    for saved in (["wide.json"], ["all.json@f746zg"]):
        found = _json(["ds_cnn.tflite", *saved], capsys)
        assert found["differences"] == fresh["differences"]
        assert found["layers"][0]["changes"] == fresh["layers"][0]["changes"]
    assert len(_json(["all.json"], capsys)["subjects"]) == len(shipped_boards())


def test_a_file_whose_name_holds_an_at_sign(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("ds_cnn@v2.tflite").write_bytes(Path("wide.tflite").read_bytes())
    found = _json(["ds_cnn.tflite", "ds_cnn@v2.tflite"], capsys)
    assert found["subjects"][1]["label"] == "ds_cnn@v2.tflite on f746zg"


def test_files_of_the_same_name_are_told_apart(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("base").mkdir()
    Path("base/ds_cnn.tflite").write_bytes(Path("wide.tflite").read_bytes())
    found = _json(["base/ds_cnn.tflite", "ds_cnn.tflite"], capsys)
    assert found["baseline"] == "base/ds_cnn.tflite on f746zg"


@pytest.mark.parametrize(
    ("limit", "code"),
    [("arena=0%", 3), ("required=1%", 3), ("flash=0.5%", 3), ("macs=500%", 0)],
)
def test_regressions_exit_with_3(
    limit: str, code: int, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ds_cnn.tflite", "wide.tflite", "--max-regression", limit]
    assert run(["compare", *arguments]) == code
    printed = capsys.readouterr()
    assert (f"{limit.partition('=')[0]} of wide.tflite" in printed.err) == (code == 3)
    assert printed.out.startswith("over budget") == (code == 3)
    assert run(["compare", "wide.tflite", "ds_cnn.tflite", "--max-regression", "arena=0%"]) == 0


def test_html_page_lists_figures_and_layers(models: Path) -> None:
    run(["compare", "ds_cnn.tflite", "wide.tflite", "--format", "html", "-o", "page.html"])
    page = Path("page.html").read_text()
    assert "<h1>What differs</h1>" in page
    assert "predict compare ds_cnn.tflite wide.tflite --format html</code>" in page
    assert page.count("<tr><th scope") >= len(FIGURES) + 10


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ds_cnn.tflite"], 2, "nothing to compare with"),
        (["ds_cnn.tflite", "none.tflite"], 1, "no such file: none.tflite"),
        (["ds_cnn.tflite", "none.json"], 1, "cannot read none.json"),
        (["ds_cnn.tflite", "text.json"], 1, "text.json: not a JSON report"),
        (["ds_cnn.tflite", "half.json"], 1, "not the JSON report of one prediction"),
        (["ds_cnn.tflite", "error.json"], 1, "holds no prediction: TFLM refuses"),
        (["saved.json@f446re", "ds_cnn.tflite"], 2, "no prediction for f446re; it has f746zg"),
        (["ds_cnn.tflite", "wide.tflite", "--max-regression", "arena=2"], 2, "PERCENT%"),
        (["ds_cnn.tflite", "wide.tflite", "--max-regression", "heap=2%"], 2, "arena, required"),
        (["ds_cnn.tflite", "wide.tflite", "--kernels", "mine"], 2, "no kernel set 'mine'"),
        (["ds_cnn.tflite@f999", "wide.tflite"], 2, "unknown board 'f999'"),
    ],
)
def test_errors(
    arguments: list[str], code: int, message: str, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.json").write_text("[1, 2")
    half = {key: value for key, value in BASE.items() if key != "layers"}
    Path("half.json").write_text(json.dumps(half))
    Path("error.json").write_text(json.dumps({"error": {"message": "TFLM refuses this model"}}))
    Path("saved.json").write_text(json.dumps(BASE))
    assert run(["compare", *arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@given(st.data())
def test_any_damage_to_a_saved_report_is_a_clean_error(data: st.DataObject) -> None:
    damaged = json.loads(json.dumps(BASE))
    table = data.draw(st.sampled_from(["arena", "flash", "sram", "ops", "model", "layers"]))
    damaged[table] = data.draw(
        st.none() | st.integers() | st.text() | st.lists(st.integers(), min_size=1)
    )
    if damaged[table] == "":
        return  # no layers at all
    with pytest.raises(Exception, match="not the JSON report") as caught:
        subject("damaged.json", damaged)
    assert type(caught.value).__name__ == "ModelError"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 3))
def test_budgets_compare_growth(before: int, after: int, limit: float) -> None:
    sides = []
    for value in (before, after):
        data = json.loads(json.dumps(BASE))
        data["arena"]["used_bytes"] = value
        sides.append(subject("model", data))
    found = compare(sides, {"arena": limit}).regressions
    assert bool(found) == (after > before + before * limit)
    assert compare(sides, dict.fromkeys(BUDGETS, 1e12)).regressions == () or before == 0
