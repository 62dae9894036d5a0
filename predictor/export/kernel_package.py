"""The project's own kernels as a library: one folder that every build takes.

The sources are those of the repository, laid out as Arduino's libraries ask for: ``src/`` is the
one folder of headers. What describes it to a build is made from templates, with the version that
the kernels have as macro.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from predictor.export.registrations import kernels_version
from predictor.export.rendering import render, templates_of
from predictor.firmware.shipped import shipped_folder

PACKAGE = "mcu_predictor"
"""Name of the package in CMake, and of its folder in a project."""
_TEMPLATES = "kernels"
_DESCRIPTION = (
    "Kernels for INT8 and INT4 activations and weights on Cortex-M, which device models run with."
)


def package_files() -> dict[str, bytes]:
    """The files of the library by their paths in it.

    Raises:
        EmulationError: the kernels are not installed.
    """
    files = {path: source.read_bytes() for path, source in _sources()}
    made = sorted(path for path in files if not path.endswith(".h"))
    numbers = kernels_version()
    values = {
        "tool": f"predict {version('mcu-predictor')}",
        "mn_version": numbers,
        "mn_words": ".".join(map(str, numbers)),
        "mn_description": _DESCRIPTION,
        "kernel_sources": [path for path in made if path.endswith(".c")],
        "operator_sources": [path for path in made if path.endswith(".cc")],
    }
    for path, template in templates_of(_TEMPLATES).items():
        files[path] = render(template, values).encode()
    return files


def _sources() -> Iterator[tuple[str, Path]]:
    """Path in the library and in the repository of each source."""
    kernels, operators = shipped_folder("kernels"), shipped_folder("firmware") / "mn_operators"
    places = (("src", kernels / "include"), ("src/kernels", kernels / "src"))
    for folder, place in (*places, ("src/mn_operators", operators)):
        for source in sorted(place.iterdir()):
            if source.suffix in (".c", ".cc", ".h"):
                yield f"{folder}/{source.name}", source
