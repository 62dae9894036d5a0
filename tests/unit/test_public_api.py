"""What ``predictor`` and ``nas`` offer: small, typed, documented, and there."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

import nas
import predictor
from predictor.errors import PredictorError, UsageError
from predictor.model.example_models import ds_cnn
from predictor.options import OptionKeywords, Options

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"predictor": predictor, "nas": nas}
PUBLIC = [(package, name) for package, module in PACKAGES.items() for name in module.__all__]


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_each_name_is_there_and_documented(package: str, name: str) -> None:
    member = getattr(PACKAGES[package], name)
    assert inspect.getdoc(member)
    assert name in dir(PACKAGES[package])
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    if isinstance(member, ModuleType):
        assert f"::: {member.__name__}\n" in page
        return
    blocks = re.findall(r"^::: (\S+)\n(?:    .*\n)*", page, re.MULTILINE)
    home, own = member.__module__, f"{member.__module__}.{member.__name__}"
    listed = re.search(rf"^::: {re.escape(home)}\n.*\n +members: (.*)$", page, re.MULTILINE)
    is_listed = listed is not None and member.__name__ in re.findall(r"\w+", listed[1])
    assert is_listed or {own, f"{package}.model.builder.{member.__name__}"} & set(blocks), own


def _signatures(member: object) -> Iterator[tuple[str, str]]:
    """Name and annotations of what a public member takes, holds and returns."""
    if inspect.isclass(member):
        for name, annotation in inspect.get_annotations(member).items():
            if not name.startswith("_"):
                yield name, str(annotation)
        for name, method in vars(member).items():
            function = getattr(method, "fget", None) or getattr(method, "func", None) or method
            if inspect.isfunction(function) and not name.startswith("_"):
                yield from _signatures(function)
    elif inspect.isfunction(member):
        hints = inspect.get_annotations(member)
        yield member.__qualname__, " ".join(map(str, hints.values()))
        assert "return" in hints, member.__qualname__


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_signatures_say_what_they_take(package: str, name: str) -> None:
    for where, hints in _signatures(getattr(PACKAGES[package], name)):
        assert not re.search(r"\bAny\b", hints), f"{where}: {hints}"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_type_checkers_see_is_what_is_there(package: str) -> None:
    """The imports for types in ``__init__`` name the same homes."""
    module = PACKAGES[package]
    seen = {}
    for node in ast.walk(ast.parse(Path(module.__file__ or "").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.col_offset:
            seen |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    assert {name: seen[name] for name in vars(module)["_HOMES"]} == vars(module)["_HOMES"]
    assert set(module.__all__) <= seen.keys()


def test_keywords_are_the_fields_of_options() -> None:
    keywords = OptionKeywords.__annotations__
    assert list(keywords) == [field.name for field in fields(Options)]
    of_keywords = {name: hint.__forward_arg__ for name, hint in keywords.items()}
    assert of_keywords == {field.name: field.type for field in fields(Options)}


def test_all_errors_are_of_one_family() -> None:
    own = vars(predictor.errors).values()
    found = [item for item in own if inspect.isclass(item) and issubclass(item, Exception)]
    assert len(found) > 10
    assert all(issubclass(item, PredictorError) for item in found)


def test_names_that_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'predictor' has no attribute 'predct'"):
        predictor.predct  # noqa: B018
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'serch'"):
        nas.serch  # noqa: B018


@pytest.mark.parametrize("order", ["optimize", "modules"])
def test_no_room_hides_a_function(order: str) -> None:
    """Functions stay what they are, whatever module was imported first."""
    first = {
        "optimize": "predictor.optimize",
        "modules": "import predictor.optimization.overlap, predictor.emulation.machine, "
        "predictor.report.comparison, nas.run, nas.export, predictor.prediction",
    }[order]
    code = (
        f"import predictor, nas; {first}; import predictor.optimization.overlap; "
        "print(all(map(callable, (predictor.optimize, predictor.predict, predictor.emulate, "
        "predictor.compare, nas.search))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "True"


def test_one_model_through_the_api() -> None:
    content = ds_cnn(channels=8, blocks=1).build()
    prediction = predictor.predict(content, "f446re", kernels="reference")
    assert prediction.to_json()["fits"] is True
    found = predictor.optimize(content, "f446re", kernels="reference")
    assert found.after.arena.required_bytes < prediction.arena.required_bytes
    assert found.to_json()["arena_required_bytes"] == {
        "before": prediction.arena.required_bytes,
        "after": found.after.arena.required_bytes,
    }
    limits = {"required": 0.0}
    assert not predictor.compare(prediction, found.after, max_growth=limits).regressions
    (grown,) = predictor.compare(found.after, prediction, max_growth=limits).regressions
    assert grown.after == prediction.arena.required_bytes
    labels = [subject.label for subject in predictor.compare(prediction, found.after).subjects]
    assert labels == ["model on f446re with reference kernels"] * 2


def test_wrong_use_of_compare() -> None:
    prediction = predictor.predict(ds_cnn(channels=8, blocks=1).build())
    with pytest.raises(UsageError, match="nothing to compare with"):
        predictor.compare(prediction)
    with pytest.raises(UsageError, match="unknown figure speed; known: arena"):
        predictor.compare(prediction, prediction, max_growth={"speed": 0.1})


@pytest.mark.toolchain
@pytest.mark.usefixtures("emulation_tools")
def test_emulation_through_the_api() -> None:
    run = predictor.emulate(ds_cnn(channels=8, blocks=1).build(), "f446re")
    assert run.passed
    assert run.image.tflm_revision == "2020.07"
