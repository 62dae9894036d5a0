"""The revision of TFLM inside the installed Python package tflite-micro.

Arena heads are those of the revision ``2026.08-x86_64``; some structs in the tail are larger.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from predictor import toml
from predictor.memory.revision import Revision, load_revision

_STRUCTS = Path(__file__).parent / "data" / "tflite_micro_wheel.toml"


@cache
def wheel_revision() -> Revision:
    """The revision of which tails, too, are those of the installed package.

    Skips the test for versions of the package that were never compared.
    """
    with _STRUCTS.open("rb") as file:
        table = toml.load(file)
    installed = version("tflite-micro")
    date = installed.rpartition("dev")[2]
    if not table["first"] <= date <= table["last"]:
        pytest.skip(f"structs of tflite-micro {installed} are unknown; see {_STRUCTS.name}")
    structs = dict(table["structs"])
    for since, changed in table["since"].items():
        if date >= since:
            structs |= changed
    base = load_revision("2026.08-x86_64", "reference")
    return replace(base, structs=base.structs.replaced(structs))
