"""Of two kernels of an operator the cheaper one, and names of such kernel sets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.errors import PredictorError, RevisionError, UsageError
from predictor.firmware.op_resolver import LinkableOperator, operators_header, with_mn_kernels
from predictor.firmware.target import firmware_target
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph, TensorType
from predictor.model.metadata import PLAN_ORIGIN, PlanOrigin, plan_origin_bytes
from predictor.model.tflite_reader import read_graph
from predictor.optimization.optimization import optimize_model
from predictor.prediction import Options, Prediction, on_board, predict_graph

OWN, LIBRARY, BEST = "mn_on_cmsis_nn", "cmsis_nn", "best"


def network(outputs: int = 2, channels: int = 16, dtype: str = "int8") -> bytes:
    """A convolution that is large enough for the own kernel, and a small layer behind it."""
    builder = ModelBuilder("mixed", seed=3)
    x = builder.input((1, 8, 8, 8), type=dtype)
    x = builder.conv_2d(x, channels, kernel=3)
    x = builder.average_pool_2d(x)
    x = builder.reshape(x, (1, -1))
    builder.output(builder.softmax(builder.fully_connected(x, outputs)))
    return builder.build()


def predicted(graph: Graph, kernels: str, board: str = "f446re") -> Prediction:
    return predict_graph(graph, board, Options(kernels=kernels))


def by_name(prediction: Prediction) -> dict[str, float]:
    names = [layer.operator for layer in prediction.layers]
    return {
        name: sum(w.instructions for n, w in zip(names, prediction.works, strict=True) if n == name)
        for name in names
    }


@pytest.mark.parametrize(("outputs", "channels"), [(1, 16), (2, 4), (12, 1), (200, 40)])
def test_each_operator_takes_the_cheaper_kernel(outputs: int, channels: int) -> None:
    graph = read_graph(network(outputs, channels))
    own, library, best = (by_name(predicted(graph, name)) for name in (OWN, LIBRARY, BEST))
    assert best == {name: min(own[name], library[name]) for name in own}


def test_the_set_has_a_name_that_says_what_the_library_serves() -> None:
    prediction = predicted(read_graph(network(outputs=2)), BEST)
    kernels = prediction.revision.kernels
    assert kernels == "mn_on_cmsis_nn-FULLY_CONNECTED"
    again = predicted(prediction.graph, kernels)
    assert again.arena.required_bytes == prediction.arena.required_bytes
    assert again.work == prediction.work
    assert again.flash == prediction.flash
    # Another board keeps it: one firmware is compared with itself.
    assert on_board(prediction, predicted(prediction.graph, OWN, "f767zi").board).revision.kernels
    assert any("FULLY_CONNECTED" in note and "cmsis_nn" in note for note in prediction.details)


def test_code_is_of_the_kernels_that_are_linked() -> None:
    graph = read_graph(network(outputs=2))
    best, own = predicted(graph, BEST), predicted(graph, OWN)
    assert best.flash.code_bytes != own.flash.code_bytes
    assert not best.flash.unmeasured
    alone = predicted(graph, LIBRARY).flash.code_bytes
    assert best.flash.code_bytes < alone  # CMSIS-NN's convolution is the largest kernel of all


def test_an_optimised_model_keeps_its_kernels() -> None:
    found = optimize_model(network(outputs=2), "f446re", kernels=BEST)
    origin = found.optimized.origin
    assert origin.kernels == "mn_on_cmsis_nn-FULLY_CONNECTED"
    assert found.after.revision.kernels == origin.kernels
    assert found.after.arena.exact
    assert predicted(read_graph(found.content), BEST).revision.kernels == origin.kernels


@pytest.mark.parametrize("kernels", ["mn_on_cmsis_nn-GREATER", "mn", "\x1b", "mn_on_cmsis_nn-"])
def test_plans_of_other_kernels_decide_nothing(kernels: str) -> None:
    graph = read_graph(network(outputs=2))
    origin = PlanOrigin(kernels, "2026.08", "", "", {})
    metadata = {**graph.metadata, PLAN_ORIGIN: memoryview(plan_origin_bytes(origin))}
    planned = replace(graph, metadata=metadata)
    assert predicted(planned, BEST).revision.kernels == "mn_on_cmsis_nn-FULLY_CONNECTED"


def test_models_that_the_own_kernels_do_not_take_run_with_the_library() -> None:
    graph = read_graph(network(dtype="float32"))
    best, library = predicted(graph, BEST), predicted(graph, LIBRARY)
    assert graph.main.tensors[graph.main.inputs[0]].type == TensorType.FLOAT32
    assert not best.registers_builtin
    assert best.arena.required_bytes == library.arena.required_bytes
    assert best.work.instructions == library.work.instructions


@pytest.mark.parametrize(
    "kernels", ["cmsis_nn-ADD", "mn_on_cmsis_nn-GREATER", "mn_on_cmsis_nn-", "mn_on_reference"]
)
def test_sets_that_do_not_exist(kernels: str) -> None:
    with pytest.raises(RevisionError, match="known: cmsis_nn"):
        load_revision("2026.08", kernels)


@pytest.mark.parametrize("revision", ["2020.07", "arduino", "pico"])
def test_revisions_without_a_choice_say_so(revision: str) -> None:
    options = Options(kernels=BEST, tflm=revision)
    with pytest.raises(PredictorError, match=r"--kernels best takes 2026\.08"):
        predict_graph(read_graph(network()), "f446re", options)


def test_firmware_registers_the_chosen_kernels() -> None:
    available = [
        LinkableOperator(name, f"Add{name}", False, 0) for name in ("ADD", "CONV_2D", "PACK")
    ]
    header = operators_header(with_mn_kernels(available, True, frozenset({"ADD"})))
    assert "BUILTIN(ADD," in header
    assert "DROP_IN(CONV_2D," in header
    assert "BUILTIN(PACK," in header


def test_the_packaged_tflm_has_no_choice() -> None:
    with pytest.raises(UsageError, match="best"):
        firmware_target("f446re", kernels=BEST)
