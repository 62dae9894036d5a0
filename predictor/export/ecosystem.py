"""The builds that a model can be exported for; what is known of each stands in ecosystems.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.errors import UsageError
from predictor.prediction import DEFAULT_BOARD

_FILE = Path(__file__).parent / "ecosystems.toml"


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """A build system or framework.

    Attributes:
        model: folder of the project for the model's files.
        templates: folders of templates, the later over the earlier.
        kernels_folder: folder of the project for the project's own kernels.
        revision: of the TFLM that it ships; None where the user brings one.
        kernels: kernel set of that TFLM; None for the first that it has.
        board: board that stands in where none is named.
        requires: for revisions that serve some chips only, what the preprocessor must find.
    """

    name: str
    title: str
    model: str
    templates: tuple[str, ...]
    kernels_folder: str = "mcu_predictor"
    revision: str | None = None
    kernels: str | None = None
    board: str = DEFAULT_BOARD
    requires: Mapping[str, str] | None = None


@cache
def ecosystems() -> Mapping[str, Ecosystem]:
    """All ecosystems by name."""
    with _FILE.open("rb") as file:
        tables = toml.load(file)
    return {
        name: Ecosystem(name=name, **(table | {"templates": tuple(table["templates"])}))
        for name, table in tables.items()
    }


def find_ecosystem(name: str) -> Ecosystem:
    """An ecosystem by name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ecosystems():
        raise UsageError(f"unknown ecosystem {name!r}; known: {', '.join(ecosystems())}")
    return ecosystems()[name]
