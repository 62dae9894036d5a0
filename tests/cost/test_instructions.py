"""The instruction model: loops against plain enumeration, counts against upstream TFLM."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.cores.core import core_names, find_core
from predictor.cost.instructions import (
    Basis,
    counted_core,
    is_model,
    load_costs,
    loops_of,
    shared_costs,
    work,
)
from predictor.cost.op_count import layers
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn
from predictor.model.random_graphs import random_graph
from predictor.operators.cmsis_nn.matrix_products import columns_s16, product_s8
from predictor.operators.loops import Loops, misaligned
from predictor.operators.loops.c_library import copy, fill
from predictor.prediction import predict
from tests.shared_data import SHARED, needs_shared
from tools.costs.fit_costs import DATA, counted_rows
from tools.costs.truth_layers import TruthLayer, truth_layers

SMALL = st.integers(1, 40)


@given(st.integers(0, 60), st.integers(0, 60))
def test_misaligned_multiples(count: int, step: int) -> None:
    assert misaligned(count, step) == sum(1 for i in range(count) if i * step % 4)


@given(SMALL, SMALL, SMALL)
def test_products_do_each_mac_once(lhs: int, rhs: int, cols: int) -> None:
    loops = Loops()
    product_s8(loops, 1, lhs, rhs, cols, cols)
    steps = {"product_s8.step": 4, "product_s8.row.step": 2}
    macs = loops.terms.get("product_s8.last_mac", 0)
    for prefix, results in steps.items():
        for width in (16, 4, 1):
            macs += results * width * loops.terms.get(f"{prefix}{width}", 0)
    assert macs == lhs * rhs * cols


@given(SMALL, SMALL, SMALL)
def test_products_load_words_where_rows_start(lhs: int, rhs: int, cols: int) -> None:
    loops = Loops()
    product_s8(loops, 1, lhs, rhs, cols, cols)
    unaligned = 0
    for right in range(rhs // 2 * 2):
        unaligned += (cols // 4) * bool(right * cols % 4) * ((lhs + 1) // 2)
    for left in range(lhs):
        unaligned += (cols // 4) * bool(left * cols % 4) * (rhs // 2)
    assert loops.unaligned_loads == unaligned


@given(SMALL, SMALL, SMALL)
def test_columns_do_each_mac_once(columns: int, rows: int, taps: int) -> None:
    loops = Loops()
    columns_s16(loops, 1, columns, rows, taps, "c")
    macs = 0
    for prefix, results in (("c", 4), ("c.odd", 2), ("c.left", 1)):
        macs += results * 4 * loops.terms.get(f"{prefix}.quad", 0)
        macs += results * loops.terms.get(f"{prefix}.tap", 0)
    assert macs == columns * rows * taps


@given(st.integers(0, 300), st.integers(0, 3), st.integers(0, 3))
def test_copies_load_and_store_each_byte_once(size: int, source: int, target: int) -> None:
    loops = Loops()
    copy(loops, 1, size, source, target)
    bytes_of = {
        "byte": 1, "head1": 1, "head2": 2, "block64": 64, "block16": 16, "word": 4, "tail1": 1,
        "tail2": 2,
    }  # fmt: skip
    moved = sum(
        times * bytes_of.get(term.removeprefix("memcpy."), 0) for term, times in loops.terms.items()
    )
    assert moved == size


@given(st.integers(0, 300), st.integers(0, 3))
def test_fills_store_each_byte_once(size: int, target: int) -> None:
    loops = Loops()
    fill(loops, 1, size, target)
    bytes_of = {"head": 1, "block16": 16, "word": 4, "byte": 1}
    stored = sum(
        times * bytes_of.get(term.removeprefix("memset."), 0) for term, times in loops.terms.items()
    )
    assert stored == size


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
def test_tables_are_whole(core: str) -> None:
    table = load_costs(load_revision(core=find_core(core)))
    assert shared_costs().keys() <= table.keys()
    for costs in table.values():
        assert min(costs.instructions, costs.loads, costs.stores, costs.mac_instructions) >= 0


@pytest.mark.parametrize("board", ["f446re", "f746zg"])
@pytest.mark.parametrize("seed", range(5))
def test_common_operators_have_a_formula(board: str, seed: int) -> None:
    prediction = predict(random_graph(1000 + seed, max_operators=40).build(), board)
    works = list(prediction.works)
    assert all(item.instructions > 0 for item in works)
    modelled = sum(item.instructions for item in works if item.basis is Basis.MODEL)
    assert modelled > 0.9 * prediction.work.instructions


def test_more_work_takes_more_instructions() -> None:
    def instructions(height: int, channels: int) -> float:
        builder = ModelBuilder()
        builder.output(builder.conv_2d(builder.input((1, height, 8, 16)), channels, kernel=3))
        return predict(builder.build(), "f446re").work.instructions

    assert instructions(8, 8) < instructions(9, 8) < instructions(16, 8)
    assert instructions(8, 8) < instructions(8, 9) < instructions(8, 16)


def test_other_kernel_sets_are_labelled() -> None:
    builder = ModelBuilder()
    builder.output(builder.conv_2d(builder.input((1, 8, 8, 16)), 8, kernel=3))
    graph = builder.graph()
    core = replace(find_core(), measured_as=("no-such-core",))
    prepared = prepare(graph, load_revision("2020.07", "reference", core))
    (found,) = work(prepared, layers(prepared))
    assert found.basis is Basis.PROXY
    assert found.instructions > 0


@cache
def truth(core: str) -> tuple[TruthLayer, ...]:
    return tuple(truth_layers("2026.08", "cmsis_nn", core))


@needs_shared
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
def test_counts_of_upstream_tflm(core: str) -> None:
    """Layers with a formula: median 2 %, 95th percentile 8 %; models: median 1.5 %, worst 6 %."""
    errors: list[float] = []
    loads: list[float] = []
    models: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    costs = load_costs(load_revision(core=find_core(core)))
    for item in truth(core):
        true = item.counts["instructions"] or 0.0
        loops = loops_of(item.node)
        sums = models[item.model]
        if (
            loops is None
            or not loops.terms.keys() <= costs.keys()
            or not is_model(costs[term].layers for term in loops.terms)
        ):
            sums[2] += true
            continue
        guess = sum(costs[term].instructions * times for term, times in loops.terms.items())
        errors.append(abs(guess / true - 1))
        sums[0] += true
        sums[1] += guess
        if item.counts["loads"]:
            counted = sum(costs[term].loads * times for term, times in loops.terms.items())
            loads.append(abs(counted / item.counts["loads"] - 1))
    assert np.median(errors) < 0.005
    assert np.percentile(errors, 95) < 0.08
    whole = [abs(b / a - 1) for a, b, unknown in models.values() if a >= 100_000 and not unknown]
    assert len(whole) > 70
    assert np.median(whole) < 0.005
    assert max(whole) < 0.06
    if core == "cortex-m4":
        assert np.median(loads) < 0.05


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
@pytest.mark.parametrize(
    ("revision", "kernels"),
    [("2026.08", "mn"), ("2026.08", "reference"), ("2020.07", "reference")],
)
def test_counts_of_other_kernel_sets(revision: str, kernels: str, core: str) -> None:
    """Convolutions and fully connected layers: median 1 %, 95th percentile 4 %."""
    costs = load_costs(load_revision(revision, kernels, find_core(core)))
    errors: dict[str, list[float]] = defaultdict(list)
    for row in counted_rows(DATA / f"{revision}_{kernels}_{core}.csv", revision, kernels):
        assert row.terms.keys() <= costs.keys(), (row.model, row.index)
        guess = sum(costs[term].instructions * times for term, times in row.terms.items())
        errors[row.operator].append(abs(guess / (row.counts["instructions"] or 0.0) - 1))
    if kernels == "mn":
        assert {"CUSTOM:MN_CONV_2D_S4", "CUSTOM:MN_DEPTHWISE_CONV_2D_S8_W16"} < errors.keys()
    for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        of_it = [e for name, found in errors.items() if operator in name for e in found]
        assert np.median(of_it) < 0.01, operator
        assert np.percentile(of_it, 95) < 0.04, operator


@needs_shared
@pytest.mark.parametrize(
    ("file", "board", "worst"),
    [
        ("m0plus", "pico", 0.005),
        ("m3", "lpc1768", 0.005),
        ("m33", "l552ze", 0.005),
        ("m55", "alif-e7", 0.2),
    ],
)
def test_whole_models_on_other_cores(file: str, board: str, worst: float) -> None:
    """Published models: three quarters of them within 0.5 %, on the M55 within 20 %."""
    counted = json.loads((SHARED / "truth" / "cores" / f"{file}_named.json").read_text())
    errors = []
    for name, found in counted.items():
        if found.get("invoke_status") == 0:
            work = predict(SHARED / "models" / name, board, kernels="cmsis_nn").work
            if work.basis is Basis.MODEL:
                errors.append(abs(work.instructions / found["invoke_insns"] - 1))
    assert len(errors) >= 8
    assert np.percentile(errors, 75) < worst


def test_cores_with_counts_of_their_own() -> None:
    """Each takes its own; cores that execute the same take their like's, MVE or not."""
    own = {"cortex-m0plus", "cortex-m3", "cortex-m33", "cortex-m55", "cortex-m4", "cortex-m7"}
    for name in core_names():
        counted = counted_core(load_revision("2026.08", "cmsis_nn", find_core(name)))
        like = {"cortex-m0": "cortex-m0plus", "cortex-m85": "cortex-m55", "cortex-m23": "cortex-m4"}
        assert counted == (name if name in own else like[name])
    for name in ("cortex-m55", "cortex-m85"):
        without = find_core(name, without=("mve",))
        assert counted_core(load_revision("2026.08", "cmsis_nn", without)) == "cortex-m55+nomve"
    content = ds_cnn().build()
    m4, m0plus, m55 = (predict(content, board).work for board in ("f446re", "pico", "alif-e7"))
    assert 2.5 < m0plus.instructions / m4.instructions < 4.0
    assert 0.1 < m55.instructions / m4.instructions < 0.7
    # Kernels that were not counted there are scaled as a whole, and say so.
    other = predict(content, "pico", kernels="reference").work
    assert other.basis is Basis.OTHER_CORE


@pytest.mark.usefixtures("emulation_tools")
@pytest.mark.toolchain
@pytest.mark.parametrize("kernels", ["reference", "mn"])
def test_whole_models_as_firmware_counts_them(kernels: str) -> None:
    """Within 1 % of what the packaged firmware executes on the emulated board."""
    from predictor.firmware.build import build
    from predictor.firmware.target import firmware_target
    from predictor.proof.model_run import run_model

    firmware = firmware_target("f446re", kernels=kernels).linking_all(ds_cnn().build())
    found = firmware.prediction
    run = run_model(firmware.content, found.arena, build(firmware.target), found.board)
    assert found.work.instructions == pytest.approx(run.invoke_instructions, rel=0.01)
    assert found.work.basis is Basis.MODEL


@needs_shared
def test_unaligned_loads_are_exact() -> None:
    compared = 0
    for item in truth("cortex-m4"):
        loops = loops_of(item.node)
        if loops is None or not item.unaligned_loads or item.unaligned_loads < 100:
            continue
        assert loops.unaligned_loads == item.unaligned_loads, item.model
        compared += 1
    assert compared >= 15
