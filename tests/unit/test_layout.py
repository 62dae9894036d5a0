"""The house layout: who may import whom, and how large a module may grow."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from predictor.memory.revision import kernel_sets, load_revision, revision_names
from predictor.model.graph import Graph, Subgraph
from tools.imports import ROOT, imported_names, module_name, without_packages

PACKAGE = ROOT / "predictor"

# A folder may import itself and those before it in this list.
ROOMS = [
    "model",
    "cores",
    "boards",
    "semantics",
    "operators",
    "memory",
    "cost",
    "optimization",
    "firmware",
    "emulation",
    "proof",
    "measure",
    "report",
    "export",
    "console",
    "characterize",
    "cli",
]
BELOW = {
    "errors",
    "escapes",
    "files",
    "install",
    "intervals",
    "kernel_sets",
    "processes",
    "records",
    "start",
    "toml",
    "views",
    "words",
    "workers",
}
BEHIND_COST = {"options", "prediction", "sharing"}  # what joins memory and cost
FORBIDDEN = {"tensorflow", "keras", "nas"}

MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = ("predictor", "nas", "kernels", "truth", "tools", "benchmarks")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    imports = imported_names(path)
    assert not {name.split(".")[0] for name in imports} & FORBIDDEN
    folder = path.relative_to(PACKAGE).parts[0]
    if folder not in ROOMS:
        return
    place = ROOMS.index(folder)
    allowed = set(ROOMS[: place + 1]) | BELOW
    if place > ROOMS.index("cost"):
        allowed |= BEHIND_COST
    if path.name == "optimization.py":
        allowed |= {"report"}
    assert {name.split(".")[1] for name in imports if name.startswith("predictor.")} <= allowed


def test_no_file_imports_one_that_imports_it_back() -> None:
    """Not over others, not inside functions, and not for types alone."""
    paths = {module_name(path): path for path in (*MODULES, *(ROOT / "nas").rglob("*.py"))}
    imports = {
        name: without_packages(paths.keys() & imported_names(path)) - {name}
        for name, path in paths.items()
    }
    leaves = True
    while leaves:
        leaves = {name for name, others in imports.items() if not others}
        imports = {name: others - leaves for name, others in imports.items() if name not in leaves}
    assert not imports, "in a circle, or above one: " + ", ".join(sorted(imports))


@pytest.mark.parametrize("room", ["tests", "benchmarks"])
def test_nothing_imports(room: str) -> None:
    """But what is in it."""
    others = {*FOLDERS, "tests"} - {room}
    paths = (path for folder in others for path in (ROOT / folder).rglob("*.py"))
    roots = {path: {name.split(".")[0] for name in imported_names(path)} for path in paths}
    assert [path for path, found in roots.items() if room in found] == []


def test_modules_stay_small() -> None:
    folders = [ROOT / name for name in (*FOLDERS, "tests", "firmware")]
    paths = (path for folder in folders for path in folder.rglob("*"))
    sources = (path for path in paths if path.suffix in (".py", ".c", ".cc", ".h"))
    assert [path for path in sources if len(path.read_text().splitlines()) > 400] == []


KERNEL_SETS = {name for revision in revision_names() for name in kernel_sets(revision)} | {"ours"}


def _names_kernels(node: ast.AST) -> bool:
    """Whether an expression is the name of a kernel set, or a collection with one."""
    if isinstance(node, ast.Name):
        return node.id == "MN"
    if isinstance(node, ast.Constant):
        return node.value in KERNEL_SETS
    return isinstance(node, ast.Tuple | ast.List | ast.Set) and any(map(_names_kernels, node.elts))


def _comparisons(path: Path) -> list[str]:
    """Places that ask which kernel set it is by its name."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(map(_names_kernels, (node.left, *node.comparators)))
    ]


def test_nothing_asks_which_kernel_set_it_is_by_name() -> None:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert [place for path in paths for place in _comparisons(path)] == []


OVERLAYS = {
    folder.package: folder
    for revision in revision_names()
    for kernels in kernel_sets(revision)
    for folder in load_revision(revision, kernels).kernel_set.overlays
}


@pytest.mark.parametrize("name", sorted(OVERLAYS))
def test_the_operators_of_a_folder_are_those_that_its_modules_register(name: str) -> None:
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found = OVERLAYS[name]
    assert found.names() == found._columns.keys()


@pytest.mark.parametrize("revision", revision_names())
def test_each_operator_of_a_kernel_set_has_a_whole_row(revision: str) -> None:
    empty = Graph((Subgraph(0, "main", (), (), (), ()),))
    for kernels in kernel_sets(revision):
        operators = load_revision(revision, kernels).kernel_set.operators(empty)
        for name in operators.names():
            row = operators.find(name)
            assert row is not None
            assert row.name == name
            assert row.reference.below is None


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "('numpy', 'tflite', 'rich')"
    code = f"import sys, predictor; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"
