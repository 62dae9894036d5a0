"""The package's name is on no index: what installs it is a clone or the repository."""

from __future__ import annotations

import re
from pathlib import Path

from predictor import toml
from predictor.cli.doctor import TOOLS
from predictor.install import install_command

ROOT = Path(__file__).parents[2]
SKIPPED = {".git", ".venv", "__pycache__", "build", "node_modules"}
TEXTS = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".html", ".ipynb", ".cfg", ".sh"}
BY_NAME = re.compile(r"pip install(?![^\n]*git\+https)[^\n]*mcu-predictor")


def _texts() -> list[Path]:
    return [
        path
        for path in ROOT.rglob("*")
        if path.suffix in TEXTS and not SKIPPED & set(path.relative_to(ROOT).parts)
    ]


def test_nothing_installs_the_package_by_its_name() -> None:
    found = [path for path in _texts() if path != Path(__file__)]
    assert len(found) > 500
    assert not [path for path in found if BY_NAME.search(path.read_text(errors="replace"))]
    assert BY_NAME.search("pip install 'mcu-predictor[nas]'")
    assert not BY_NAME.search("pip install mcu-predictor @ git+https://example.org/mcu-predictor")


def test_extras_that_are_named_exist() -> None:
    extras = toml.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    with TOOLS.open("rb") as file:
        tools = toml.load(file)["tools"]
    assert {tool["extra"] for tool in tools if "extra" in tool} <= {"", *extras}
    named = {
        extra
        for path in ROOT.glob("predictor/**/*.py")
        for extra in re.findall(r"install_command\([\"'](\w+)[\"']\)", path.read_text())
    }
    assert named
    assert named <= set(extras)


def test_the_command_is_that_of_a_clone() -> None:
    assert install_command("nas").startswith('pip install -e ".[nas]"')
    assert install_command().startswith("pip install -e . ")
