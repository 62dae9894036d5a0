"""The files that hold measured figures of the project's own models."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.memory.arena_report import NODES, PERSISTENT_BUFFERS, RUNTIME_OBJECTS
from truth import figures, models, sketch
from truth.figures import Figures, Record, persistent_text
from truth.sketch import Sketch

ALLOCATED = Figures(
    used_bytes=64,
    head_bytes=16,
    tail_bytes=48,
    required_bytes=80,
    persistent="runtime 36; buffer 4:16",
    plan=((16, 0, 1, 0),),
    runs=True,
)


def test_allocations_are_told_by_kind_in_their_order() -> None:
    allocations = [
        (RUNTIME_OBJECTS, 36, 4),
        (RUNTIME_OBJECTS, 44, 4),
        (PERSISTENT_BUFFERS, 7, 16),
        (NODES, 32, 4),
        (PERSISTENT_BUFFERS, 2, 1),
    ]
    assert persistent_text(allocations) == "runtime 36 44; buffer 7:16; nodes 32; buffer 2:1"


def test_files_keep_what_was_measured(tmp_path: Path) -> None:
    records = {
        "ADD/int8": Record(
            "0123abcd", {"a/m4": ALLOCATED, "a/m7": ALLOCATED, "b/m4": Figures("no")}
        ),
        "ADD/float32": Record("89abcdef", {"a/m4": Figures("refused")}),
    }
    path = tmp_path / "some.json"
    figures.write(path, "how", records)
    assert figures.read(path) == ("how", records)
    assert path.read_text().count("runtime 36") == 1, "equal figures stand once"


def test_names_alone_decide_a_model() -> None:
    name = models.names()[0]
    assert models.build(name) == models.build(name)
    other = models.names()[1]
    assert models.digest(models.build(name)) != models.digest(models.build(other))


def test_variants_name_types_and_a_feature() -> None:
    drawn = Sketch("CONV_2D", "int8-int4_dilated")
    assert (drawn.types, drawn.feature) == (["int8", "int4"], "dilated")


def test_a_recipe_for_a_name_that_has_one_is_an_error() -> None:
    taken = next(iter(sketch.recipes() or {models.names()[0]: None}))
    operator, variant = taken.split("/")
    with pytest.raises(ValueError, match="two recipes"):
        sketch.recipe(operator, variant)(lambda s: None)
