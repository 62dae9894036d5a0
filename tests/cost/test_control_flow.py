"""Work and time of models with branches, loops and variables."""

from __future__ import annotations

import csv
import json
from math import inf
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import tools.costs
from predictor.cli.main import run
from predictor.cost.instructions import total
from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.random_control_flow import inputs_of, random_control_flow
from predictor.prediction import Prediction, predict
from predictor.report import json_report

DATA = Path(tools.costs.__file__).parent / "data" / "control_flow_cmsis_nn_cortex-m4.csv"
SCHEMA = Path(json_report.__file__).with_name("prediction.schema.json")
TOLERANCE = 0.05


def _measured() -> dict[int, tuple[int, int]]:
    lines = [line for line in DATA.read_text().splitlines() if not line.startswith("#")]
    return {int(r["seed"]): (int(r["first"]), int(r["second"])) for r in csv.DictReader(lines)}


MEASURED = _measured()


def _instructions(found: Prediction) -> tuple[float, float, float]:
    """Of the cheapest and the dearest branches, and of what runs once."""
    inference = found.inference
    paths = (inference.cheapest, inference.dearest)
    least, most = (total(inference.works_on(path)).instructions for path in paths)
    return least, most, total(inference.once).instructions if inference.once else 0.0


def test_there_are_100_models_of_all_kinds() -> None:
    kinds = {seed: predict(random_control_flow(seed).build()).execution for seed in MEASURED}
    assert len(kinds) >= 100
    assert sum(not kind.may_vary for kind in kinds.values()) >= 15
    assert sum(kind.is_open for kind in kinds.values()) >= 15
    assert sum(kind.may_vary and not kind.is_open for kind in kinds.values()) >= 40


@pytest.mark.parametrize("seed", MEASURED)
def test_emulated_instructions_are_those_predicted(seed: int) -> None:
    """Within 5 % where they follow from constants; within the bounds otherwise."""
    builder = random_control_flow(seed)
    found = predict(builder.build(), "f446re")
    least, most, once = _instructions(found)
    rounds = [total(works).instructions for works in found.inference.open_rounds.values()]
    numbers = [int(a[0]) for a in inputs_of(builder, seed) if a.dtype == np.int32]
    # The loops of unknown length count the inputs that are whole numbers, in their order.
    more = sum(count * each for count, each in zip(numbers, rounds, strict=True))
    for run_index, counted in enumerate(MEASURED[seed]):
        instructions = counted - (once if run_index == 0 else 0)
        if not found.execution.may_vary:
            assert most == least == pytest.approx(instructions, rel=TOLERANCE)
        assert least * (1 - TOLERANCE) <= instructions <= (most + more) * (1 + TOLERANCE)


def _dense(builder: ModelBuilder, x: TensorRef, branches: tuple[int, int]) -> None:
    """An IF of fully connected layers, so many in each branch."""
    options = {}
    for name, layers in zip(("then", "else"), branches, strict=True):
        part = builder.subgraph(name)
        y = part.input((1, 64), "float32")
        for _ in range(layers):
            y = part.fully_connected(y, 64)
        part.output(y)
        options[f"{name}_subgraph_index"] = part.index
    condition = builder.input((1,), "bool")
    builder.output(*builder.operator("IF", [condition, x], [((1, 64), "float32")], options))


def test_one_branch_counts() -> None:
    builder = ModelBuilder("if")
    _dense(builder, builder.input((1, 64), "float32"), (1, 1))
    found = predict(builder.build())
    assert found.ops.total_macs == found.ops.least_macs == 64 * 64
    builder = ModelBuilder("if")
    _dense(builder, builder.input((1, 64), "float32"), (1, 3))
    found = predict(builder.build())
    assert (found.ops.least_macs, found.ops.total_macs) == (64 * 64, 3 * 64 * 64)
    assert found.latency.least_s < 0.5 * found.latency.seconds
    interval = found.latency.intervals.interval_95
    assert interval.low < found.latency.least_s < found.latency.seconds < interval.high < inf


def _loop(rounds: TensorRef | int) -> tuple[bytes, ModelBuilder]:
    """A WHILE around a fully connected layer; a number of rounds that is known, or an input."""
    builder = ModelBuilder("while")
    start = builder.constant([0]) if isinstance(rounds, int) else builder.input((1,), "int32")
    x = builder.input((1, 64), "float32")
    condition, body = builder.subgraph("cond"), builder.subgraph("body")
    counter = condition.input((1,), "int32")
    condition.input((1, 64), "float32")
    last = condition.constant([rounds if isinstance(rounds, int) else 100])
    condition.output(*condition.operator("LESS", [counter, last], [((1,), "bool")], {}))
    counter, y = body.input((1,), "int32"), body.input((1, 64), "float32")
    one = body.constant([1])
    (following,) = body.operator("ADD", [counter, one], [((1,), "int32")], {})
    body.output(following, body.fully_connected(y, 64))
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    outputs = [((1,), "int32"), ((1, 64), "float32")]
    builder.output(*builder.operator("WHILE", [start, x], outputs, options))
    return builder.build(), builder


def test_loops_count_as_often_as_they_run() -> None:
    once, many = (predict(_loop(rounds)[0]) for rounds in (1, 100))
    assert many.ops.total_macs == 100 * once.ops.total_macs == 100 * 64 * 64
    assert many.latency.seconds == pytest.approx(100 * once.latency.seconds, rel=0.05)
    assert [runs.most for runs in many.inference.layer_runs] == [1, 101, 100, 100]
    assert not many.latency.is_open
    assert not any("WHILE" in note for note in many.notes)


@pytest.fixture
def open_loop(tmp_path: Path) -> Path:
    builder = ModelBuilder("unused")
    path = tmp_path / "open.tflite"
    path.write_bytes(_loop(builder.input((1,), "int32"))[0])
    return path


@pytest.mark.parametrize(
    "budget", ["--max-macs=10K", "--max-latency=1ms", "--max-energy=1mJ", "--max-macs=1G"]
)
def test_no_budget_passes_on_an_unknown_number_of_rounds(
    budget: str, open_loop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(open_loop), budget]) == 3
    printed = capsys.readouterr()
    assert "no bound is known" in printed.err
    assert "WHILE, operator 0 of the model" in printed.err
    assert "each round more" in printed.out
    assert "95 %: from" in printed.out


def test_the_json_form_of_a_loop_without_bound(
    open_loop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(open_loop), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    latency = report["latency"]
    assert latency["is_open"]
    assert latency["interval_95"][1] is None
    assert report["energy"]["interval_80"][1] is None
    assert [each["index"] for each in latency["rounds"]] == [0]
    assert [row["runs_most"] for row in report["layers"]] == [1, None, None, None]


def _variable(shape: tuple[int, ...]) -> bytes:
    """A variable that is set once, and to which each inference adds."""
    builder = ModelBuilder("variable")
    x = builder.input(shape, "float32")
    handles = {"container": "", "shared_name": "v"}
    first = builder.subgraph("init")
    (handle,) = first.operator("VAR_HANDLE", [], [((), "resource")], handles)
    zeros = first.constant(np.zeros(shape, np.float32))
    first.operator("ASSIGN_VARIABLE", [handle, zeros], [], {})
    first.output(zeros)
    builder.operator("CALL_ONCE", [], [], {"init_subgraph_index": first.index})
    (handle,) = builder.operator("VAR_HANDLE", [], [((), "resource")], handles)
    (state,) = builder.operator("READ_VARIABLE", [handle], [(shape, "float32")], {})
    y = builder.add(x, state)
    builder.operator("ASSIGN_VARIABLE", [handle, y], [], {})
    builder.output(y)
    return builder.build()


@pytest.mark.parametrize("board", ["f446re", "f746zg"])
def test_variables_cost_a_copy_and_initialisation_is_apart(board: str) -> None:
    """newlib's memcpy takes 3,793 instructions for 7,104 bytes."""
    found = predict(_variable((1, 7104 // 4)), board)
    by_name = {
        layer.operator: work.instructions
        for layer, work in zip(found.layers, found.works, strict=True)
        if layer.subgraph_index == 0
    }
    for name in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
        assert by_name[name] == pytest.approx(3793 + 180, rel=0.02)
    assert found.latency.once_s == pytest.approx(
        found.layer_latencies_s[-1] + found.layer_latencies_s[-2], rel=0.1
    )
    alone = sum(found.layer_latencies_s[:5])
    assert found.latency.seconds == pytest.approx(alone, rel=0.05)
    assert [runs.once for runs in found.inference.layer_runs] == [0, 0, 0, 0, 0, 1, 1]
