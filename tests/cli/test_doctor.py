"""``predict doctor``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor import toml
from predictor.cli import doctor
from predictor.cli.main import run

ROOT = Path(__file__).parents[2]


def _file(folder: Path, text: str) -> Path:
    path = folder / "tools.toml"
    path.write_text(text)
    return path


def _program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "good", "echo good tool 1.2.3-rc1 of 2026")
    _program(tmp_path, "bad", "echo no library >&2; exit 3")
    _program(tmp_path, "slow", "sleep 20")
    (tmp_path / "broken_module.py").write_text("raise OSError('no cairo')")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "TIMEOUT_S", 1)
    entries = [f'command = "{name}"' for name in ("good", "bad", "slow", "absent_tool")]
    entries += [f'python = "{name}"' for name in ("json", "broken_module", "absent_module")]
    text = "".join(
        f'[[tools]]\nname = "x"\ndistribution = "x"\npurpose = "x"\ninstall = "x"\n{entry}\n'
        for entry in entries
    )
    tools = doctor.examine(_file(tmp_path, text))
    assert [(tool.state, tool.version) for tool in tools] == [
        ("ok", "1.2.3-rc1"), ("broken", ""), ("broken", ""), ("missing", ""),
        ("ok", ""), ("broken", ""), ("missing", ""),
    ]  # fmt: skip
    assert [tools[index].problem for index in (1, 2, 5)] == [
        "no library",
        "no answer in 1 s",
        "OSError: no cairo",
    ]


@pytest.mark.parametrize(
    ("printed", "state", "problem"),
    [
        ("Renode v1.16.1\n  build: 20260216", "ok", ""),
        ("Renode v1.16.0", "ok", ""),
        ("Renode v1.15.3", "broken", "too old: at least 1.16 is needed"),
        ("Renode v1.9.1", "broken", "too old: at least 1.16 is needed"),
        ("Renode", "broken", "too old: at least 1.16 is needed"),
    ],
)
def test_a_renode_that_is_too_old_will_not_do(
    printed: str, state: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "renode", f"printf '{printed}'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with doctor.TOOLS.open("rb") as file:
        (entry,) = (tool for tool in toml.load(file)["tools"] if tool["name"] == "Renode")
    tool = doctor._examine(entry)
    assert (tool.state, tool.problem) == (state, problem)


def test_the_python_package_without_a_renode_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyrenode3.py").write_text(
        "import os\nassert os.environ['PYRENODE_RUNTIME'] == 'coreclr'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    entry = {"name": "x", "python": "pyrenode3", "distribution": "x", "purpose": "", "install": ""}
    for name in ("PYRENODE_BIN", "PYRENODE_PKG", "PYRENODE_BUILD_DIR", "PYRENODE_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    assert doctor._examine(entry).problem.startswith("no Renode behind it")
    monkeypatch.setenv("PYRENODE_BIN", "/opt/renode/renode")
    assert doctor._examine(entry).state == "ok"


def test_text_says_what_installs_the_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        '[[tools]]\nname = "Nothing"\ncommand = "absent_tool"\npurpose = "tests"\n'
        'install = "apt-get install nothing"\n'
    )
    monkeypatch.setattr(doctor, "TOOLS", _file(tmp_path, text))
    assert run(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "missing  Nothing" in printed
    assert "install: apt-get install nothing" in printed
    monkeypatch.setattr(doctor, "TOOLS", _file(tmp_path, f"{text}required = true\n"))
    assert run(["doctor", "--format", "json"]) == 1
    (tool,) = json.loads(capsys.readouterr().out)["tools"]
    assert tool["state"] == "missing"


def test_required_tools_are_the_dependencies_of_the_package() -> None:
    with doctor.TOOLS.open("rb") as file:
        tools = toml.load(file)["tools"]
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies = toml.load(file)["project"]["dependencies"]
    required = {tool["distribution"] for tool in tools if tool.get("required")}
    names = {text.partition(">")[0] for text in dependencies}
    assert required == names - {"tomli"}  # of Python's own library from 3.11 on
    for tool in tools:
        assert ("python" in tool) != ("command" in tool)
        assert tool["purpose"]
        assert tool.keys() & {"extra", "install"}
