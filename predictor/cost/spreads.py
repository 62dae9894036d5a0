"""How far predictions may be off where nothing nearer is known: ``spreads.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.intervals import Spread


@cache
def load_spreads() -> Mapping[str, Spread]:
    """Spreads by name; the file says what each rests on."""
    with Path(__file__).with_name("spreads.toml").open("rb") as file:
        return {name: Spread(**table) for name, table in toml.load(file).items()}
