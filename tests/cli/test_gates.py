"""What ``predict check`` gives to code hosts, and the steps of the CI files that call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from predictor.boards import board as boards
from predictor.boards.board import shipped_boards
from predictor.cli.main import run
from predictor.errors import EXIT_DOES_NOT_FIT
from predictor.model.example_models import autoencoder, ds_cnn
from predictor.report.budgets import BUDGETS, rule_of
from predictor.report.check_result import RULES
from tests.cli import sarif_schema

ROOT = Path(__file__).parents[2]
CONFIG = """
[tool.predictor.budgets."models/kws, 50%.tflite"]
board = "f446re"
max_arena = "1KB"
max_macs = "1K"
[tool.predictor.budgets."models/ad.tflite"]
reserve_ram = "1MB"
[tool.predictor.budgets."models/bad.tflite"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    models.mkdir()
    (models / "kws, 50%.tflite").write_bytes(ds_cnn().build())
    (models / "ad.tflite").write_bytes(autoencoder().build())
    (models / "bad.tflite").write_bytes(b"none")
    Path("predictor.toml").write_text(CONFIG)
    return tmp_path


def test_sarif_has_one_result_per_finding(project: Path) -> None:
    assert run(["check", "--sarif", "out.sarif"]) == 1
    log = json.loads(Path("out.sarif").read_text())
    sarif_schema.validate(log)
    (found,) = log["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    results = found["results"]
    assert [result["ruleId"] for result in results] == [
        "max-arena", "max-macs", "does-not-fit", "error",
    ]  # fmt: skip
    for result in results:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results
    ]
    assert uris[0] == "models/kws%2C%2050%25.tflite"
    assert uris[2:] == ["models/ad.tflite", "models/bad.tflite"]


def test_sarif_of_passing_models_has_no_result(project: Path) -> None:
    Path("predictor.toml").write_text('[tool.predictor.budgets."models/ad.tflite"]\n')
    assert run(["check", "--sarif", "out.sarif"]) == 0
    log = json.loads(Path("out.sarif").read_text())
    sarif_schema.validate(log)
    assert log["runs"][0]["results"] == []


def test_the_schema_refuses_what_sarif_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError):
        sarif_schema.validate({"version": "2.1.0", "runs": [{"tool": {"driver": {"nam": "x"}}}]})


def test_annotations_escape_what_ends_a_property(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["check", "--annotations", "github", "--format", "json"])
    printed = capsys.readouterr()
    json.loads(printed.out)
    lines = printed.err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(
        "::error file=models/kws%2C 50%25.tflite,title=max-arena on f446re::max-arena: "
    )


def test_markdown_has_a_row_per_model(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", "--format", "markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "## 0 of 3 models pass"
    rows = [line for line in lines if line.startswith("| models")]
    assert len(rows) == 3
    assert all(line.count(" | ") + line.count("| |") >= 5 for line in rows)


def test_base_compares_models_at_the_same_paths(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "base" / "models").mkdir(parents=True)
    (project / "base" / "models" / "ad.tflite").write_bytes(autoencoder(units=64).build())
    Path("predictor.toml").write_text('[tool.predictor.budgets."models/*d.tflite"]\n')
    (project / "models" / "bad.tflite").unlink()
    assert run(["check", "--base", "base", "--max-regression", "arena=1000%"]) == 0
    assert "column 1: base (baseline)" in capsys.readouterr().out
    assert run(["check", "--base", "base", "--max-regression", "flash=1%"]) == 3
    assert "over budget  flash of ad.tflite" in capsys.readouterr().out
    assert run(["check", "--max-regression", "flash=1%"]) == 2
    assert run(["check", "--base", "base", "--format", "json"]) == 2


def _yaml(path: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install pyyaml")
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a runner sets, with the ``predict`` of this checkout on the path."""
    folder = tmp_path_factory.mktemp("runner")
    (folder / "bin").mkdir()
    predict = folder / "bin" / "predict"
    predict.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m predictor.cli.main "$@"\n')
    predict.chmod(0o755)
    files = {name: str(folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    return {
        **os.environ,
        **files,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(folder),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }


def _bash(script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a step as GitHub does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _git(*arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def _action_steps(inputs: Mapping[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """Script and environment of each step of the action that runs one."""
    action = _yaml("action.yml")
    values = {name: entry["default"] for name, entry in action["inputs"].items()} | inputs
    steps = {}
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        assert "${{" not in step["run"], "expressions in scripts allow injection"
        assert step["shell"] == "bash"
        variables = {
            name: values[text.removeprefix("${{ inputs.").removesuffix(" }}")]
            for name, text in step.get("env", {}).items()
        }
        steps[step["name"]] = (step["run"], variables)
    return steps


def test_steps_of_the_action(project: Path, environment: dict[str, str]) -> None:
    Path("predictor.toml").write_text('[tool.predictor.budgets."models/ad.tflite"]\n')
    _git("init", "--quiet", "--initial-branch=main")
    _git("add", ".")
    _git("commit", "--quiet", "--message", "models")
    _git("remote", "add", "origin", str(project))
    Path("models/ad.tflite").write_bytes(autoencoder(units=160).build())
    steps = _action_steps({"max-regression": "arena=50% flash=2%"})
    assert list(steps) == ["Install", "Fetch the base branch", "Check", "Comment"]
    script, _ = steps["Fetch the base branch"]
    fetched = _bash(script, environment | {"GITHUB_BASE_REF": "main"})
    assert fetched.returncode == 0, fetched.stderr
    script, variables = steps["Check"]
    checked = _bash(script, environment | variables)
    assert checked.returncode == 3, checked.stderr
    summary = Path(environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert summary == checked.stdout
    assert summary.startswith("## 0 of 1 models pass\n")
    assert "- over budget: flash of ad.tflite" in summary
    outputs = dict(
        line.split("=", 1) for line in Path(environment["GITHUB_OUTPUT"]).read_text().splitlines()
    )
    sarif_schema.validate(json.loads(Path(outputs["sarif"]).read_text()))
    ElementTree.parse(outputs["junit"])
    declared = _yaml("action.yml")["outputs"]
    assert {entry["value"] for entry in declared.values()} == {
        f"${{{{ steps.check.outputs.{name} }}}}" for name in outputs
    }


_GH = """#!/bin/bash
printf '%s\\n' "$*" >> "$GH_CALLS"
case "$*" in *--paginate*) cat "$GH_KNOWN" ;; esac
for argument; do case "$argument" in body=@*) cp "${argument#body=@}" "$GH_CALLS.body" ;; esac; done
"""


@pytest.mark.parametrize("known", ["", "17\n"])
def test_the_comment_of_the_action(
    known: str, project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """One comment: the first time it is posted, later it is changed."""
    _git("init", "--quiet", "--initial-branch=main")
    _git("add", ".")
    _git("commit", "--quiet", "--message", "models")
    _git("remote", "add", "origin", str(project))
    Path("models/ad.tflite").write_bytes(autoencoder(units=160).build())
    steps = _action_steps({"comment": "true", "token": "secret"})
    script, _ = steps["Fetch the base branch"]
    assert _bash(script, environment | {"GITHUB_BASE_REF": "main"}).returncode == 0
    (tmp_path / "gh").write_text(_GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "known").write_text(known)
    script, variables = steps["Comment"]
    calls = tmp_path / "calls"
    variables |= {"GH_CALLS": str(calls), "GH_KNOWN": str(tmp_path / "known")}
    variables |= {"GITHUB_REF": "refs/pull/42/merge", "GITHUB_REPOSITORY": "owner/models"}
    variables["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = _bash(script, environment | variables)
    assert done.returncode == 0, done.stderr
    _, written = calls.read_text().splitlines()
    place = "POST repos/owner/models/issues/42/comments"
    assert (
        f"PATCH repos/owner/models/issues/comments/{known.strip()}" if known else place
    ) in written
    body = Path(f"{calls}.body").read_text()
    assert body.startswith("<!-- mcu-predictor -->\n")
    assert "ad.tflite" in body
    assert "| arena" in body
    assert body.count("ad.tflite") == body.count(".tflite")  # no model that is as before


def test_the_action_without_a_base_branch(project: Path, environment: dict[str, str]) -> None:
    script, variables = _action_steps({})["Check"]
    checked = _bash(script, environment | variables)
    assert checked.returncode == 1
    assert checked.stdout.startswith("## 0 of 3 models pass\n")
    assert checked.stderr.count("::error file=models/") == 4


def test_steps_of_the_gitlab_example(project: Path, environment: dict[str, str]) -> None:
    job = _yaml("docs/ci/gitlab.yml")["predict"]
    (install,) = job["before_script"]
    # The name is not registered: the repository is what can be installed.
    assert install.startswith('pip install --quiet "mcu-predictor @ git+https://')
    done = _bash("\n".join(job["script"]), environment)
    assert done.returncode == 1, done.stderr
    assert ElementTree.parse(job["artifacts"]["reports"]["junit"]).getroot().get("tests") == "3"


def test_the_pre_commit_hook(project: Path, environment: dict[str, str]) -> None:
    (hook,) = _yaml(".pre-commit-hooks.yaml")
    (repository,) = _yaml("docs/ci/pre-commit-config.yaml")["repos"]
    assert [entry["id"] for entry in repository["hooks"]] == [hook["id"]]
    assert hook["pass_filenames"] is False
    assert _bash(hook["entry"], environment).returncode == 1
    Path("predictor.toml").write_text('[tool.predictor.budgets."models/ad.tflite"]\n')
    assert _bash(hook["entry"], environment).returncode == 0


def test_the_github_example_uses_inputs_that_exist() -> None:
    action = _yaml("action.yml")
    steps = _yaml("docs/ci/github.yml")["jobs"]["predict"]["steps"]
    (step,) = [step for step in steps if "mcu-predictor" in step["uses"]]
    assert set(step["with"]) <= set(action["inputs"])
    used = [word for other in steps for word in str(other).split() if "outputs." in word]
    assert {word.rpartition(".")[2] for word in used} <= set(action["outputs"])


EVERY_BUDGET = """
[tool.predictor.budgets."models/ad.tflite"]
board = ["f446re", "f746zg"]
max_arena = "1"
max_flash = "1"
max_macs = "1"
max_latency = "1us"
max_energy = "1uJ"
"""


def _budget_rules() -> list[str]:
    return [rule_of(name) for name in BUDGETS]


def test_every_budget_on_every_board_reaches_every_code_host(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("predictor.toml").write_text(EVERY_BUDGET)
    files = ["--sarif", "out.sarif", "--junit", "out.xml", "--annotations", "github"]
    assert run(["check", *files]) == 3
    annotations = capsys.readouterr().err.splitlines()
    log = json.loads(Path("out.sarif").read_text())
    sarif_schema.validate(log)
    (found,) = log["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert rules == list(RULES)
    assert [result["ruleId"] for result in found["results"]] == 2 * _budget_rules()
    for result in found["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    suite = ElementTree.parse("out.xml").getroot()
    assert suite.attrib["tests"] == "2"
    assert [case.attrib["classname"] for case in suite] == ["f446re", "f746zg"]
    assert [len(case.findall("failure")) for case in suite] == 2 * [len(BUDGETS)]
    for board in ("f446re", "f746zg"):
        titles = [line for line in annotations if f"on {board}::" in line]
        assert [line.split("title=")[1].split(" on ")[0] for line in titles] == _budget_rules()


def test_growth_reaches_every_code_host(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("predictor.toml").write_text('[tool.predictor.budgets."models/ad.tflite"]\n')
    (project / "base" / "models").mkdir(parents=True)
    small = ds_cnn(blocks=1).build()
    (project / "base" / "models" / "ad.tflite").write_bytes(small)
    files = ["--sarif", "out.sarif", "--junit", "out.xml", "--annotations", "github"]
    limits = ["--base", "base", "--max-regression", "flash=1%"]
    assert run(["check", *files, *limits]) == 3
    printed = capsys.readouterr()
    assert "title=max-regression on f746zg::" in printed.err
    assert "0 of 1 models pass" in printed.out
    (found,) = json.loads(Path("out.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in found["results"]] == ["max-regression"]
    (case,) = ElementTree.parse("out.xml").getroot()
    assert len(case.findall("failure")) == 1


def test_all_stands_for_the_shipped_boards(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("predictor.toml").write_text(
        '[tool.predictor.budgets."models/ad.tflite"]\nboard = ["f746zg", "all"]\n'
    )
    assert run(["check", "--format", "json"]) == EXIT_DOES_NOT_FIT  # the smallest of them
    rows = json.loads(capsys.readouterr().out)["results"]
    others = [board.name for board in shipped_boards() if board.name != "f746zg"]
    assert [row["board"] for row in rows] == ["f746zg", *others]


def test_boards_that_fare_alike_share_a_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("predictor.toml").write_text(
        '[tool.predictor.budgets."models/ad.tflite"]\nboard = "all"\n'
    )
    assert run(["check"]) == EXIT_DOES_NOT_FIT
    text = capsys.readouterr().out
    assert text.count("does not fit") == 1
    assert sum(line.startswith(("ok", "FAIL")) for line in text.splitlines()) == 2
    assert f"of {len(shipped_boards())} models pass" in text
    Path("predictor.toml").write_text(
        '[tool.predictor.budgets."models/ad.tflite"]\nboard = "calibrated"\n'
    )
    assert run(["check", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [row["board"] for row in rows] == [b.name for b in shipped_boards() if b.calibrations]


def test_files_of_boards_lie_beside_the_budgets(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(boards.__file__).with_name("f446re.toml").read_text()
    Path("mine.toml").write_text(text.replace('name = "f446re"', 'name = "mine"'))
    Path("predictor.toml").write_text(
        '[tool.predictor.budgets."models/ad.tflite"]\nboard = "mine.toml"\n'
    )
    monkeypatch.chdir("/")
    assert run(["check", "--config", str(project / "predictor.toml")]) == 0
    assert "1 of 1 models pass" in capsys.readouterr().out


@pytest.mark.parametrize("board", ["5", "[]", "[5]", '["f446re", 3]', "{}", '["f446\\u001b"]'])
def test_boards_of_another_form_are_usage_errors(
    project: Path, board: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("predictor.toml").write_text(
        f'[tool.predictor.budgets."models/ad.tflite"]\nboard = {board}\n'
    )
    assert run(["check"]) == 2
    message = capsys.readouterr().err
    assert "board must be" in message
    assert message.count("\n") == 1
