"""What users install: built, checked, and tried in an empty virtual environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from predictor import toml
from predictor.model.example_models import ds_cnn

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
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


def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    (wheel,) = built.glob("*.whl")
    _run(binaries / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    (tmp_path / "model.tflite").write_bytes(ds_cnn().build())
    predict = binaries / "predict"
    assert "FITS" in _run(predict, "model.tflite", "--board", "f446re", cwd=tmp_path)
    _run(predict, "report", "model.tflite", "-o", "report.html", cwd=tmp_path)
    assert "<svg" in (tmp_path / "report.html").read_text()
    _run(predict, "compare", "model.tflite", "--kernels", "cmsis_nn,reference", cwd=tmp_path)
    _run(predict, "doctor", cwd=tmp_path)
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = toml.load(file)["project"]["version"]
    assert _run(predict, "--version", cwd=tmp_path) == f"predict {version}\n"


def test_the_citation_names_the_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = toml.load(file)["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
