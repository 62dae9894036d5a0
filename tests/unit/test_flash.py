"""Flash from tables of measured code: which groups count, for whom, and what stands in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.cores.core import find_core
from predictor.errors import UsageError
from predictor.memory import flash as module
from predictor.memory.flash import RESOLVERS, CodeSizes, flash, load_code_sizes
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph

NAMES = ["ADD", "CONV_2D", "SOFTMAX", "RELU"]
TABLE = {
    "base_bytes": 10_000,
    "error": 0.02,
    "static_ram_bytes": 8,
    "interpreter_bytes": 100,
    "resolver_bytes": {"fixed": 12, "per_operator": 36},
    "groups": [
        {"bytes": 1_001, "linked_by": ["CONV_2D"]},
        {"bytes": 500, "linked_by": ["CONV_2D", "SOFTMAX"]},
        {"bytes": 250, "linked_by": ["SOFTMAX"]},
        {"bytes": 4_000, "linked_by": ["ADD"]},
    ],
    "ram_groups": [{"bytes": 4, "linked_by": ["SOFTMAX", "ADD"]}],
}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table of one core in the place of the measured ones."""
    profiles = {"profiles": {"cortex-m4/cmsis_nn": TABLE}}
    (tmp_path / "2026.08.json").write_text(json.dumps(profiles))
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    _forget()
    yield
    _forget()


def _forget() -> None:
    load_code_sizes.cache_clear()
    module._measured_tables.cache_clear()
    module._code.cache_clear()


def _graph(*, softmax: bool = True) -> Graph:
    builder = ModelBuilder("model", seed=1)
    x = builder.conv_2d(builder.input((1, 4, 4, 2)), 3, kernel=3)
    x = builder.softmax(x) if softmax else x
    builder.output(x)
    return read_graph(builder.build())


@pytest.mark.usefixtures("table")
def test_a_group_counts_once_for_all_operators_that_link_it() -> None:
    found = flash(_graph(), load_revision(core=find_core("cortex-m4")))
    assert found.runtime_bytes == 10_000
    assert found.operator_bytes == 1_752  # 1,001 + 500 + 250, to the next multiple of 4
    assert found.code_bytes == 11_752
    assert found.avoidable_bytes == 0
    assert found.static_ram_bytes == 8 + 100 + 12 + 2 * 36 + 4
    assert (found.measured_on, found.measured_revision) == ("cortex-m4", "2026.08")


@pytest.mark.usefixtures("table")
def test_a_model_takes_its_file_and_what_aligns_it() -> None:
    graph = _graph(softmax=False)
    found = flash(graph, load_revision(core=find_core("cortex-m4")))
    assert found.model_bytes == graph.flatbuffer_bytes
    assert (found.model_bytes + found.alignment_bytes) % module.MODEL_ALIGNMENT_BYTES == 0
    assert 0 <= found.alignment_bytes < module.MODEL_ALIGNMENT_BYTES
    assert found.total_bytes == found.model_bytes + found.alignment_bytes + found.code_bytes
    larger = found.with_model(found.model_bytes + 1)
    assert (larger.model_bytes, larger.code_bytes) == (found.model_bytes + 1, found.code_bytes)


@pytest.mark.usefixtures("table")
def test_all_operators_link_code_that_no_node_uses() -> None:
    revision = load_revision(core=find_core("cortex-m4"))
    used, everything = (flash(_graph(softmax=False), revision, name) for name in RESOLVERS)
    assert (used.operator_bytes, used.avoidable_bytes) == (1_504, 0)
    assert everything.avoidable_bytes == 4_000 + 250
    assert everything.operator_bytes == 5_752


@pytest.mark.usefixtures("table")
def test_code_that_was_not_measured_is_named() -> None:
    builder = ModelBuilder("model", seed=1)
    builder.output(builder.relu(builder.conv_2d(builder.input((1, 4, 4, 2)), 3, kernel=3)))
    found = flash(read_graph(builder.build()), load_revision(core=find_core("cortex-m4")))
    assert found.unmeasured == ("RELU",)


@pytest.mark.usefixtures("table")
def test_what_was_not_measured_is_stood_in_for() -> None:
    """A core by one that serves in its stead, a revision by its base."""
    other = flash(_graph(), load_revision("2024.12", core=find_core("cortex-m33")))
    assert (other.measured_on, other.measured_revision) == ("cortex-m4", "2026.08")
    with pytest.raises(UsageError, match=r"with reference kernels on cortex-m4; measured: cortex"):
        flash(_graph(), load_revision(kernels="reference", core=find_core("cortex-m4")))
    with pytest.raises(UsageError, match=r"TFLM revision 2020\.07 .* measured: none"):
        flash(_graph(), load_revision("2020.07"))
    with pytest.raises(UsageError, match="unknown resolver 'some'; choose used or all"):
        flash(_graph(), load_revision(), "some")


GROUP = st.tuples(st.integers(0, 5_000), st.frozensets(st.sampled_from(NAMES), min_size=1))


@given(st.lists(GROUP, max_size=8), st.frozensets(st.sampled_from(NAMES)), st.sampled_from(NAMES))
def test_more_operators_never_take_less(
    groups: list[tuple[int, frozenset[str]]], operators: frozenset[str], more: str
) -> None:
    sizes = CodeSizes("core", "tflm", 0, 10, 4, 36, 0.0, tuple(groups), tuple(groups), frozenset())
    both = operators | {more}
    assert sizes.operator_bytes(operators) <= sizes.operator_bytes(both)
    assert sizes.operator_bytes(both) <= sizes.operator_bytes(operators) + sum(
        size for size, linked_by in groups if more in linked_by
    )
    grown = sizes.static_ram_bytes(both) - sizes.static_ram_bytes(operators)
    assert grown >= 36 * (more not in operators)
