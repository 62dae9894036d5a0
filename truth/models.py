"""The models: each is built from its name alone."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib import import_module
from pkgutil import iter_modules

from truth import recipes as folder
from truth.sketch import Sketch, recipes


@cache
def names() -> tuple[str, ...]:
    """Names of all models, sorted."""
    for module in iter_modules(folder.__path__):
        import_module(f"{folder.__name__}.{module.name}")
    return tuple(sorted(recipes()))


def build(name: str) -> bytes:
    """The ``.tflite`` file of a model; equal on every machine."""
    names()
    sketch = Sketch(*name.split("/"))
    recipes()[name](sketch)
    return sketch.builder.build()


def digest(content: bytes) -> str:
    """The first 8 hexadecimal digits of a file's SHA-256."""
    return sha256(content).hexdigest()[:8]
