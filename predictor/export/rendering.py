"""The templates of this folder, set up so that no string of a model leaves its place in a file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from predictor.escapes import c_string, cmake_string, comment

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".j2"


def render(template: str, values: dict[str, Any]) -> str:
    """A template of this folder, filled in."""
    return _environment().get_template(template).render(values)


def templates_of(folder: str) -> dict[str, str]:
    """The templates of a folder, by the path of the file that each makes."""
    root = TEMPLATES / folder
    return {
        path.relative_to(root).as_posix().removesuffix(SUFFIX): f"{folder}/{path.relative_to(root)}"
        for path in sorted(root.rglob(f"*{SUFFIX}"))
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "comment": comment,
        "c": c_string,
        "cmake": cmake_string,
        "json": json.dumps,
        "count": lambda number: f"{number:,}",
    }
    return environment
