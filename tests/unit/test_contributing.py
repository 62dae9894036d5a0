"""What CONTRIBUTING says that an operator, a board, a core, a revision or a kernel set takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.imports import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
_PARTS = re.compile(r"^\*\*(An? [\w ]+)\*\*(.*?)(?=^\*\*An? |^## )", re.MULTILINE | re.DOTALL)
_BLOCKS = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {part[1]: _BLOCKS.findall(part[2]) for part in _PARTS.finditer(TEXT)}

MODEL = """
from predictor import find_board, predict
from predictor.model.example_models import ds_cnn
model = ds_cnn().build()
known = predict(model, "f446re")
"""
BOARD = """
assert predict(model, "example").board.core.clock_hz == 64_000_000
assert predict(model, "example").arena.required_bytes == known.arena.required_bytes
"""
CORE = """
from predictor.cores.core import find_core
assert find_core("cortex-m35p").compiler_flags[0] == "-mcpu=cortex-m35p"
assert find_core("cortex-m35p").measured_as[-1] == "cortex-m4"
"""
REVISION = """
more = predict(model, "f446re", tflm="example").arena.breakdown["builtinData"].requested_bytes
assert more == known.arena.breakdown["builtinData"].requested_bytes + 4
"""
KERNEL_SET = """
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
for kernels, wanted in (("vendor", [48]), ("reference", [])):
    nodes = arena(known.graph, load_revision(kernels=kernels)).prepared.nodes
    assert nodes[-1].context.op.name == "SOFTMAX"
    assert nodes[-1].context.scratch_bytes == wanted
"""
OPERATOR = """
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import read_graph
from truth import models
report = arena(read_graph(models.build("Halve/int8")), load_revision())
(node,) = report.prepared.nodes
assert node.init_requests[0][1] == 8
"""
CHECKS = {
    "A board": (1, BOARD),
    "A core": (1, CORE),
    "A TFLM revision": (2, REVISION),
    "A kernel set": (3, KERNEL_SET),
    "An operator": (4, OPERATOR),
}
"""How many files each takes at most, and what must hold with them."""


def test_each_kind_has_its_example() -> None:
    assert EXAMPLES.keys() == CHECKS.keys()


@pytest.mark.parametrize("kind", CHECKS)
def test_the_files_of_an_example_are_all_that_it_takes(kind: str, tmp_path: Path) -> None:
    (most, check), files = CHECKS[kind], EXAMPLES[kind]
    assert 1 <= len({path for path, _ in files}) <= most
    for folder in ("predictor", "truth"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for path, text in files:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        with (tmp_path / path).open("a") as file:
            file.write(text)
    command = [sys.executable, "-c", MODEL + check]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
