"""``predict check``: many models against budgets."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.cli.main import run
from predictor.model.example_models import autoencoder, ds_cnn


@pytest.fixture
def project(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    (models / "kws.tflite").write_bytes(ds_cnn().build())
    (models / "ad.tflite").write_bytes(autoencoder().build())
    return tmp_path


def _config(project: Path, text: str) -> list[str]:
    path = project / "predictor.toml"
    path.write_text(text)
    return ["check", "--config", str(path)]


def test_patterns_cover_all_models(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '[tool.predictor.budgets."models/*.tflite"]\nboard = "f746zg"\nmax_arena = "100KB"\n'
    assert run(_config(project, text)) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 models pass" in printed


def test_patterns_may_be_absolute(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"[tool.predictor.budgets.'{project}/models/*.tflite']\n"
    assert run(_config(project, text)) == 0
    assert "2 of 2 models pass" in capsys.readouterr().out


def test_the_file_may_be_that_of_other_tools_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n'
    assert run(_config(project, f'{text}[tool.predictor.budgets."models/*.tflite"]\n')) == 0
    assert "2 of 2 models pass" in capsys.readouterr().out


def test_broken_budgets_fail_and_are_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        '[tool.predictor.budgets."models/kws.tflite"]\nmax_arena = "1KB"\nmax_macs = "1K"\n'
        '[tool.predictor.budgets."models/ad.tflite"]\nboard = "f446re"\n'
    )
    report = project / "report.xml"
    assert run([*_config(project, text), "--junit", str(report), "--format", "json"]) == 3
    kws, ad = json.loads(capsys.readouterr().out)["results"]
    assert not kws["passed"]
    assert len(kws["failures"]) == 2
    assert ad["passed"]
    suite = ElementTree.parse(report).getroot()
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    assert len(suite.findall("testcase/failure")) == 2


def test_missing_models_are_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = project / "report.xml"
    text = '[tool.predictor.budgets."models/none.tflite"]\nmax_arena = "1KB"\n'
    assert run([*_config(project, text), "--junit", str(report)]) == 1
    assert "no such file" in capsys.readouterr().out
    assert ElementTree.parse(report).getroot().attrib["errors"] == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.other]\n", "missing or empty"),
        ("[tool.predictor.budgets]\n", "missing or empty"),
        ('[tool.predictor.budgets]\nkws = "100KB"\n', "must be a table"),
        ('[tool.predictor.budgets."a.tflite"]\nmax_heap = "1KB"\n', "unknown key 'max_heap'"),
        ('[tool.predictor.budgets."models/kws.tflite"]\nmax_arena = "big"\n', "no size"),
        ('[tool.predictor.budgets."a.tflite"]\nmax_arean = "1KB"\n', "did you mean max_arena?"),
        ('[tool.predictor.budgets."a.tflite"]\nmax_arena = 1.5\n', "no size"),
        ('[tool.predictor.budgets."a.tflite"]\nmax_arena = -1\n', "no size"),
        (f'[tool.predictor.budgets."a.tflite"]\nmax_macs = "{"9" * 5000}"\n', "no size"),
        (f'[tool.predictor.budgets."a.tflite"]\nmax_latency = "{"9" * 500}s"\n', "no quantity"),
        ('[tool.predictor.budgets."a.tflite"]\nmax_latency = inf\n', "no quantity"),
        ('[tool.predictor.budgets."a.tflite"]\nboard = 5\n', "board must be a string"),
        ('[tool.predictor.budgets."a.tflite"]\nboard = "a\\u0000b"\n', "board must be a string"),
        ('[tool.predictor.budgets."a.tflite"]\nkernels = ["mn"]\n', "kernels must be a name"),
        ('[tool.predictor.budgets."a.tflite"]\ntflm = "../2026.08"\n', "tflm must be a name"),
        ('[tool.predictor.budgets."a.tflite"]\nresolver = "none"\n', "one of used, all"),
        ('[tool.predictor.budgets."**x*.tflite"]\n', "is no pattern of models"),
        ('[tool.predictor.budgets."a\\u0000*.tflite"]\n', "holds control characters"),
        ('[tool.predictor.budget."a.tflite"]\n', "did you mean budgets?"),
        ("tool = 1\n", "tool must be a table"),
        ('[tool.predictor.budgets."models/kws.tflite"]\nboard = "f4"\n', "unknown board"),
        ("not toml", "not valid TOML"),
    ],
)
def test_malformed_files_are_usage_errors(
    project: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_config(project, text)) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", "nowhere.toml"]) == 2
    assert "no such file: nowhere.toml" in capsys.readouterr().err
