"""The documentation's code blocks: run as they stand, output compared where a page shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from predictor.errors import MissingDependencyError
from predictor.firmware.cache import cache_dir
from predictor.firmware.toolchain import find_toolchain
from tests.docs.blocks import Block, blocks_of, output_matches

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM")
"""Stands for ~/tflite-micro in pages."""
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


def _has_toolchain() -> bool:
    try:
        find_toolchain()
    except MissingDependencyError:
        return False
    return shutil.which("cargo") is not None


AVAILABLE = {
    "tensorflow": lambda: find_spec("tensorflow") is not None,
    "renode": lambda: shutil.which("renode") is not None,
    "toolchain": _has_toolchain,
    "tflm": lambda: TFLM_DIR is not None,
}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _pages(slow: bool) -> list[Path]:
    return [page for page in PAGES if any(block.is_slow == slow for block in blocks_of(page))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", _pages(slow=False), ids=_name)
def test_blocks(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    blocks = [block for block in blocks_of(page) if not block.is_slow]
    _run_page(page, blocks, tmp_path, request)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", _pages(slow=True), ids=_name)
def test_slow_blocks(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    _run_page(page, blocks_of(page), tmp_path, request)


def _run_page(
    page: Path, blocks: list[Block], folder: Path, request: pytest.FixtureRequest
) -> None:
    missing = {need for block in blocks for need in block.needs if not AVAILABLE[need]()}
    accepted: list[tuple[Block, str]] = []
    for block in blocks:
        if missing.intersection(block.needs):
            continue
        where = f"{_name(page)}:{block.line}"
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.content)
            continue
        done = _run(block, ROOT if block.in_checkout else folder)
        shown = f"{block.content}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        assert done.returncode == block.exit_code, f"{where}: code {done.returncode}\n{shown}"
        if block.output is None or output_matches(block.output.content, done.stdout):
            continue
        assert request.config.getoption("--accept-golden"), f"{where}: other output\n{shown}"
        accepted.append((block.output, done.stdout))
    _accept(page, accepted)
    if missing:
        pytest.skip(f"the other blocks ran; not installed: {', '.join(sorted(missing))}")


def _run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    # TensorFlow warns of what it does itself.
    warnings = ("-W", "default" if "tensorflow" in block.needs else "error")
    arguments = SHELL if block.language == "sh" else (sys.executable, *warnings, "-c")
    binaries = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "COLUMNS": "100"}
    environment["MCU_PREDICTOR_CONFIG"] = str(folder / "settings")
    if "tflm" in block.needs:
        environment |= {"HOME": _home(folder), "MCU_PREDICTOR_CACHE": str(cache_dir())}
    return subprocess.run(
        [*arguments, block.content], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _home(folder: Path) -> str:
    """A home with the TFLM that pages speak of."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    if not (home / "tflite-micro").exists():
        (home / "tflite-micro").symlink_to(Path(TFLM_DIR or "").resolve())
    return str(home)


def _accept(page: Path, accepted: list[tuple[Block, str]]) -> None:
    """Writes the outputs of blocks into their page, the last first so that lines keep numbers."""
    lines = page.read_text("utf-8").splitlines()
    for block, printed in reversed(accepted):
        start = block.line - 1
        lines[start : start + block.content.count("\n")] = [
            line.rstrip() for line in printed.splitlines()
        ]
    if accepted:
        page.write_text("\n".join(lines) + "\n", "utf-8")


def test_dots_stand_for_lines() -> None:
    assert output_matches("a\n...\nb\n", "a\nb\n")
    assert output_matches("a\n...\n", "a  \nx\ny")
    assert not output_matches("a\n...\nb\n", "a\nb\nc\n")


def test_comments_say_what_is_special(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- exit 3; needs toolchain -->\n\n```sh\nfalse\n```\n\n```text\nout\n```\n"
        '```toml title="a.toml"\nx = 1\n```\nwords\n```text\nfree\n```\n'
        "```yaml\n```\n<!-- slow -->\n  ```sh\n  a\n  ```\n"
    )
    first, second, third = blocks_of(page)
    assert (first.exit_code, first.needs, first.is_slow) == (3, ["toolchain"], False)
    assert first.output is not None
    assert first.output.content == "out\n"
    assert (second.title, second.runs) == ("a.toml", False)
    assert (third.content, third.is_slow, third.exit_code) == ("a\n", True, 0)
