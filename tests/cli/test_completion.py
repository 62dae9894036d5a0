"""Completion in shells, through the protocol that click's scripts speak."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def _complete(line: str, position: int, instruction: str = "bash_complete") -> str:
    environment = {
        **os.environ,
        "_PREDICT_COMPLETE": instruction,
        "COMP_WORDS": line,
        "COMP_CWORD": str(position),
    }
    command = [sys.executable, "-m", "predictor.cli.main"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_define_a_completion_of_predict(shell: str) -> None:
    script = _complete("", 0, f"{shell}_source")
    assert f"_PREDICT_COMPLETE={shell}_complete" in script


def test_commands_and_options_are_completed() -> None:
    assert "plain,compare" in _complete("predict com", 1).splitlines()
    options = _complete("predict compare --max", 2).splitlines()
    assert options == ["plain,--max-regression"]
    assert "plain,markdown" in _complete("predict compare --format m", 3).splitlines()
