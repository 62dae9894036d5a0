"""The templates of this folder, set up so that nothing of a model can become markup."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from predictor.report.html import palette, plan_picture
from predictor.report.units import energy_words, time_words

_FOLDER = Path(__file__).parent / "templates"


def markup(text: str) -> Markup:
    """Text that is markup already, made by this package with all content escaped."""
    return Markup(text)


def render(template: str, **values: Any) -> str:
    """A template of this folder, filled in."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters |= {"time": time_words, "energy": energy_words}
    environment.filters["percent"] = lambda number: f"{number:.3f}".rstrip("0").rstrip(".")
    environment.globals |= {
        "light": markup(palette.css_variables(palette.LIGHT)),
        "dark": markup(palette.css_variables(palette.DARK)),
        "plan_style": markup(plan_picture.style(lambda name: f"var(--{name})")),
        "plan_kinds": plan_picture.KINDS,
        "plan_least_width": plan_picture.LEAST_WIDTH,
        "style": markup((_FOLDER / "style.css").read_text("utf-8")),
        "script": markup((_FOLDER / "script.js").read_text("utf-8")),
    }
    return environment
