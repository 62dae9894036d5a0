"""What users install: built, checked, and tried in an empty virtual environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from predictor import toml

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(*command: object, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("build", "twine"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install {package}")
    folder = tmp_path_factory.mktemp("built")
    # A clone has tracked files only, as a release has.
    _run("git", "clone", "--quiet", ROOT, folder / "source", cwd=folder)
    _run(sys.executable, "-m", "build", "--outdir", folder / "dist", ".", cwd=folder / "source")
    return folder / "dist"


def test_archives_pass_twine_and_hold_the_data(built: Path) -> None:
    archives = sorted(built.iterdir())
    assert [path.suffix for path in archives] == [".whl", ".gz"]
    _run(sys.executable, "-m", "twine", "check", "--strict", *archives, cwd=built)
    names = zipfile.ZipFile(archives[0]).namelist()
    with tarfile.open(archives[1]) as archive:
        sources = archive.getnames()
    tracked = _run("git", "ls-files", "predictor", cwd=ROOT).splitlines()
    for name in tracked:
        assert name in names
        assert any(source.endswith(f"/{name}") for source in sources)
    assert not [name for name in names if name.startswith("tests/")]


VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def _interpreter(version: str) -> Path:
    """A Python of a version, on the path or of pyenv; skips where there is none that starts."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [
        shutil.which(f"python{version}"),
        *sorted(root.glob(f"versions/{version}.*/bin/python")),
    ]
    for path in filter(None, found):
        command = [path, "-c", "import venv, sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return Path(path)
    pytest.skip(f"there is no Python {version} on this machine")


def _installed(python: Path, archive: Path, folder: Path, **variables: str) -> Path:
    """Folder of the programs of a new environment with an archive and its dependencies."""
    _run(python, "-m", "venv", folder / "venv", cwd=folder)
    binaries = folder / "venv" / "bin"
    _run(binaries / "python", "-m", "pip", "install", "--quiet", archive, cwd=folder, **variables)
    return binaries


def _try_out(binaries: Path, folder: Path) -> None:
    """What a user does first."""
    predict = binaries / "predict"
    _run(predict, "example", "-o", "model.tflite", cwd=folder)
    assert "FITS" in _run(predict, "model.tflite", "--board", "f446re", cwd=folder)
    _run(predict, "report", "model.tflite", "-o", "report.html", cwd=folder)
    assert "<svg" in (folder / "report.html").read_text()
    _run(predict, "compare", "model.tflite", "--kernels", "cmsis_nn,reference", cwd=folder)
    _run(predict, "doctor", cwd=folder)
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = toml.load(file)["project"]["version"]
    assert _run(predict, "--version", cwd=folder) == f"predict {version}\n"


def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    binaries = _installed(Path(sys.executable), wheel, tmp_path)
    _try_out(binaries, tmp_path)
    _run(binaries / "python", "-c", "import predictor.emulation.unicorn._blockcount", cwd=tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_source_archive_works_with_each_python(
    version: str, built: Path, tmp_path: Path
) -> None:
    (archive,) = built.glob("*.tar.gz")
    _try_out(_installed(_interpreter(version), archive, tmp_path), tmp_path)


def test_without_a_compiler_the_package_lacks_its_helper_and_works(
    built: Path, tmp_path: Path
) -> None:
    (archive,) = built.glob("*.tar.gz")
    binaries = _installed(Path(sys.executable), archive, tmp_path, CC="/bin/false")
    absent = (
        "import importlib.util as u; print(u.find_spec('predictor.emulation.unicorn._blockcount'))"
    )
    assert _run(binaries / "python", "-c", absent, cwd=tmp_path) == "None\n"
    _try_out(binaries, tmp_path)


def test_extras_are_those_that_the_documentation_names() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = toml.load(file)["project"]["optional-dependencies"]
    wanted = {"emulate", "nas", "optimize", "boards", "calibrate", "graph", "png", "ray"}
    assert wanted | {"all", "docs", "dev"} == set(extras)
    (everything,) = extras["all"]
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == wanted


def test_the_citation_names_the_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = toml.load(file)["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
