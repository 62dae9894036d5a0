"""Differentiable architecture search whose every result fits a microcontroller.

::

    from pathlib import Path

    import nas
    from predictor import find_board

    budget = nas.Budget(find_board("f446re"), max_arena_bytes=20_000)
    found = nas.search("digits", budget, Path("run"))
    found.fits, found.model

Needs the extra ``nas`` (TensorFlow); importing this package does not load it. Everything that
says what a network takes comes from :mod:`predictor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.cost.constraints import Budget
    from nas.run.pipeline import SearchResult, export_run, verify_run
    from nas.run.pipeline import search_task as search

__all__ = ["Budget", "SearchResult", "export_run", "search", "verify_run"]

_HOMES = {
    "Budget": ("nas.cost.constraints", "Budget"),
    "SearchResult": ("nas.run.pipeline", "SearchResult"),
    "export_run": ("nas.run.pipeline", "export_run"),
    "search": ("nas.run.pipeline", "search_task"),
    "verify_run": ("nas.run.pipeline", "verify_run"),
}


def __getattr__(name: str) -> object:
    """Imports public names when they are first used, so that importing the package is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    from importlib import import_module

    module, member = _HOMES[name]
    return getattr(import_module(module), member)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
