"""Compaction: all that is planted goes, no bit changes, and the independent check accepts it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from predictor.boards.board import find_board
from predictor.errors import UnprovedError
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph, Quantization
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.compaction.compaction import compact
from predictor.optimization.compaction.surgery import integers, with_values
from predictor.optimization.optimization import count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.verification.verifier import prove_equal
from predictor.prediction import predict_graph
from predictor.proof.host_runtime import HostRuntime
from tests.optimize.planted import Planted, planted_network
from tests.optimize.woven import woven_network
from tests.shared_data import MODELS, needs_shared

Array = np.ndarray


@pytest.fixture(scope="module")
def runtime():
    with HostRuntime("tflite_micro") as runtime:
        yield runtime


def _inputs(graph: Graph, count: int, seed: int = 0) -> list[list[Array]]:
    """Inputs with all low, all high, only extreme, and random values."""
    rng = np.random.default_rng(seed)
    shapes = [graph.main.tensors[index].shape for index in graph.main.inputs]
    kinds = [
        lambda shape: np.full(shape, -128, np.int8),
        lambda shape: np.full(shape, 127, np.int8),
        lambda shape: rng.choice([-128, 127], shape).astype(np.int8),
        lambda shape: rng.integers(-128, 128, shape).astype(np.int8),
    ]
    return [[kinds[min(n, 3) if n % 3 else 2](s) for s in shapes] for n in range(count)]


def _outputs(runtime: HostRuntime, graph: Graph, inputs: list[list[Array]]) -> list[Array]:
    found = []
    content = write_model(graph)
    for values in inputs:
        result = runtime.run(content, values)
        assert not result.error, result.error
        found += list(result.outputs)
    return found


def _equal(runtime: HostRuntime, before: Graph, after: Graph, count: int) -> bool:
    inputs = _inputs(before, count)
    pairs = zip(_outputs(runtime, before, inputs), _outputs(runtime, after, inputs), strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(s, marks=pytest.mark.slow) for s in range(12, 300))]
)
def test_what_is_planted_goes_and_no_bit_changes(runtime: HostRuntime, seed: int) -> None:
    _check_planted(runtime, planted_network(seed), 10 if seed < 12 else 100)


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(s, marks=pytest.mark.slow) for s in range(12, 300))]
)
def test_what_is_planted_where_branches_meet_goes(runtime: HostRuntime, seed: int) -> None:
    _check_planted(runtime, woven_network(seed), 10 if seed < 12 else 100)


def _check_planted(runtime: HostRuntime, planted: Planted, inputs: int) -> None:
    result = compact(planted.graph)
    gone = {(item.tensor, item.channel) for item in result.certificates}
    names = {tensor.name: tensor for tensor in result.graph.main.tensors}
    whole = {tensor.name: tensor for tensor in planted.graph.main.tensors}
    for name in {name for name, _ in planted.all}:
        wanted = sum(1 for tensor, _ in planted.all if tensor == name)
        left = names[name].shape[-1] if name in names else 0
        assert whole[name].shape[-1] - left >= wanted, (name, sorted(gone))
    prove_equal(planted.graph, result.graph)
    assert _equal(runtime, planted.graph, result.graph, inputs)
    costs = [predict_graph(graph).work.instructions for graph in (planted.graph, result.graph)]
    assert costs[1] <= costs[0]


def _cost_on(board: str) -> Callable[[Graph], float]:
    revision = load_revision("2026.08", "cmsis_nn", find_board(board).core.model)
    return lambda graph: sum(count_instructions(prepare(graph, revision)))


@pytest.mark.parametrize(("seed", "is_smaller"), [(51, False), (203, True), (205, True)])
def test_channels_stay_where_the_model_is_not_surely_faster_without(
    seed: int, is_smaller: bool
) -> None:
    """51: by 0.34 % to prediction, but by -0.09 % as counted in firmware."""
    graph = planted_network(seed).graph
    cost = _cost_on("f446re")
    assert compact(graph).is_smaller
    found = compact(graph, cost)
    assert found.is_smaller == is_smaller
    assert found.graph == graph or cost(found.graph) < 0.995 * cost(graph)


@pytest.mark.parametrize("seed", range(6))
def test_constants_carry_their_value(seed: int) -> None:
    planted = planted_network(seed)
    found = {(item.tensor, item.channel): item for item in compact(planted.graph).certificates}
    zero = {t.name: t.quantization.zero_point for t in planted.graph.main.tensors if t.quantization}
    for name, channel in planted.constant:
        assert found[name, channel].reason == "constant"
        assert found[name, channel].value == zero[name]


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_stay_equal(runtime: HostRuntime, seed: int) -> None:
    graph = read_graph(random_graph(seed + 500, max_operators=25).build())
    result = compact(graph)
    prove_equal(graph, result.graph)
    assert _equal(runtime, graph, result.graph, 4)


def test_compaction_is_done_at_once() -> None:
    """A second run finds nothing more, and nothing that was kept for its cost goes then."""
    first = compact(planted_network(3).graph)
    assert not compact(first.graph).is_smaller


def test_a_narrower_input_makes_more_constant() -> None:
    builder = ModelBuilder("narrow", seed=5)
    x = builder.input((1, 4, 4, 2), quantization=Quantization((0.01,), (0,)))
    y = builder.conv_2d(x, 8, activation="relu")
    builder.output(builder.conv_2d(y, 4))
    graph = read_graph(builder.build())
    narrow = compact(graph, input_range=(0, 0))
    assert len(narrow.certificates) > len(compact(graph).certificates)
    prove_equal(graph, narrow.graph, (0, 0))
    with pytest.raises(UnprovedError):
        prove_equal(graph, narrow.graph)


def _simplified(build) -> tuple[Graph, Graph, tuple[str, ...]]:
    builder = ModelBuilder("idle", seed=1)
    build(builder)
    graph = read_graph(builder.build())
    result = compact(graph)
    prove_equal(graph, result.graph)
    return graph, result.graph, tuple(op.name for op in result.graph.main.operators)


def _reshapes(builder: ModelBuilder) -> None:
    x = builder.conv_2d(builder.input((1, 4, 4, 3)), 4)
    y = builder.reshape(builder.reshape(x, (4, 4, 4)), (1, 4, 4, 4))
    builder.output(builder.conv_2d(y, 2))


def _flattened_twice(builder: ModelBuilder) -> None:
    x = builder.conv_2d(builder.input((1, 4, 4, 3)), 4)
    builder.output(
        builder.fully_connected(builder.reshape(builder.reshape(x, (4, 16)), (1, 64)), 3)
    )


def _requantized(builder: ModelBuilder) -> None:
    x = builder.conv_2d(builder.input((1, 4, 4, 3)), 4, activation="relu6")
    y = builder.conv_2d(builder.relu6(x), 4)
    same = Quantization(y.quantization.scales, y.quantization.zero_points)
    z = builder.quantize(builder.quantize(y, quantization=same), quantization=same)
    builder.output(builder.conv_2d(z, 2))


def _times_one(builder: ModelBuilder) -> None:
    x = builder.conv_2d(builder.input((1, 4, 4, 3)), 4, activation="relu")
    one = builder.constant(
        np.full(4, 100, np.int8), quantization=Quantization((0.01,), (0,)), name="one"
    )
    y = builder.mul(x, one, quantization=x.quantization)
    builder.output(builder.conv_2d(y, 2))


def _padded(builder: ModelBuilder) -> None:
    x = builder.input((1, 8, 8, 3))
    y = builder.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    builder.output(builder.conv_2d(y, 4, kernel=3, stride=2, padding="valid"))


def _unread(builder: ModelBuilder) -> None:
    x = builder.input((1, 4, 4, 3))
    builder.max_pool_2d(builder.conv_2d(x, 4))
    builder.output(builder.conv_2d(x, 2))


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (_reshapes, ("CONV_2D", "CONV_2D")),
        (_flattened_twice, ("CONV_2D", "RESHAPE", "FULLY_CONNECTED")),
        (_requantized, ("CONV_2D", "CONV_2D", "CONV_2D")),
        (_times_one, ("CONV_2D", "CONV_2D")),
        (_padded, ("CONV_2D",)),
        (_unread, ("CONV_2D",)),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_idle_operators_go(runtime: HostRuntime, build, left: tuple[str, ...]) -> None:
    before, after, names = _simplified(build)
    assert names == left
    assert _equal(runtime, before, after, 6)


def _measured_shape(builder: ModelBuilder) -> None:
    """The way Keras flattens: the shape at run time, which never changes."""
    x = builder.conv_2d(builder.input((1, 4, 4, 3)), 4)
    (shape,) = builder.operator("SHAPE", [x], [((4,), "int32")], {"out_type": 2})
    y = builder.relu6(x)
    (z,) = builder.operator("RESHAPE", [y, shape], [((1, 4, 4, 4), "int8", y.quantization)])
    builder.output(builder.conv_2d(z, 2))


def test_shapes_are_constants() -> None:
    _, _, names = _simplified(_measured_shape)
    assert "SHAPE" not in names
    assert "RESHAPE" not in names


def _zeroed(graph: Graph, share: float, whole: bool) -> Graph:
    """Filters with that share of zeros: in whole output channels, or scattered."""
    rng = np.random.default_rng(0)
    tensors = list(graph.main.tensors)
    for op in graph.main.operators:
        if op.name != "CONV_2D":
            continue
        filter = tensors[op.inputs[1]]
        values = integers(filter).copy()
        if whole:
            values[: int(share * len(values))] = 0
        else:
            values[rng.random(values.shape) < share] = 0
        tensors[filter.index] = with_values(filter, values)
    return replace(graph, subgraphs=(replace(graph.main, tensors=tuple(tensors)),))


def _plain_network() -> Graph:
    builder = ModelBuilder("pruned", seed=2)
    x = builder.input((1, 8, 8, 16))
    for _ in range(3):
        x = builder.conv_2d(x, 16, activation="relu")
    builder.output(builder.fully_connected(builder.average_pool_2d(x), 4))
    return read_graph(builder.build())


@pytest.mark.parametrize(
    ("whole", "words"),
    [(True, "predict optimize removes"), (False, "but scattered: kernels multiply them")],
)
def test_the_owner_of_a_pruned_model_is_told(whole: bool, words: str) -> None:
    notes = predict_graph(_zeroed(_plain_network(), 0.6, whole)).notes
    assert any(words in note for note in notes), notes
    assert not any("weights are zero" in note for note in predict_graph(_plain_network()).notes)


def test_padding_that_a_convolution_cannot_do_stays() -> None:
    builder = ModelBuilder("padded", seed=1)
    y = builder.pad(builder.input((1, 8, 8, 3)), ((0, 0), (1, 1), (1, 1), (0, 0)))
    builder.output(builder.conv_2d(y, 4, kernel=3, stride=2, padding="valid"))
    assert not compact(read_graph(builder.build())).is_smaller


# The check must refuse what differs.


def _sabotaged(graph: Graph, rng: random.Random) -> Graph:
    """One change of a constant, of a scale, of an option or of an operator's inputs."""
    main = graph.main
    constants = [t for t in main.tensors if t.is_constant and t.elements]
    choice = rng.random()
    if choice < 0.7:
        tensor = rng.choice(constants)
        values = integers(tensor).copy()
        flat = values.reshape(-1)
        place = rng.randrange(flat.size)
        kind = rng.random()
        if kind < 0.5:
            low, high = (-8, 7) if tensor.type.name == "INT4" else (-128, 127)
            flat[place] = rng.randint(low, high)
        elif kind < 0.8 and values.ndim > 1 and len(values) > 1:
            first, second = rng.sample(range(len(values)), 2)
            values[[first, second]] = values[[second, first]]
        else:
            flat[place] += 1 if flat[place] < 0 else -1
        changed = with_values(tensor, values)
    else:
        tensor = rng.choice([t for t in main.tensors if t.quantization is not None])
        quantization = tensor.quantization
        assert quantization is not None
        scales = list(quantization.scales)
        place = rng.randrange(len(scales))
        if rng.random() < 0.5:
            scales[place] = float(np.float32(scales[place] * rng.choice((0.5, 0.9, 1.1))))
            changed = replace(tensor, quantization=replace(quantization, scales=tuple(scales)))
        else:
            zero = quantization.zero_points[0] + rng.choice((-1, 1))
            zeros = (zero, *quantization.zero_points[1:])
            changed = replace(tensor, quantization=replace(quantization, zero_points=zeros))
    tensors = tuple(changed if t.index == tensor.index else t for t in main.tensors)
    return replace(graph, subgraphs=(replace(main, tensors=tensors),))


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(s, marks=pytest.mark.slow) for s in range(3, 100))]
)
@pytest.mark.parametrize("network", [planted_network, woven_network])
def test_the_check_accepts_nothing_that_differs(runtime: HostRuntime, network, seed: int) -> None:
    rng = random.Random(seed)
    planted = network(seed)
    good = compact(planted.graph).graph
    inputs = _inputs(planted.graph, 12)
    expected = _outputs(runtime, planted.graph, inputs)
    refused = 0
    for _ in range(100 if seed >= 3 else 40):
        bad = _sabotaged(good, rng)
        try:
            prove_equal(planted.graph, bad)
        except UnprovedError:
            refused += 1
            continue
        outputs = _outputs(runtime, bad, inputs)
        pairs = zip(outputs, expected, strict=True)
        assert all(np.array_equal(first, second) for first, second in pairs)
    assert refused


def test_another_network_is_refused() -> None:
    graphs = [planted_network(seed).graph for seed in (1, 2)]
    with pytest.raises(UnprovedError):
        prove_equal(*graphs)


# As part of an optimisation.


def test_an_optimised_model_is_compacted_and_says_so() -> None:
    planted = planted_network(4)
    content = write_model(planted.graph)
    result = optimize_model(content)
    assert result.compaction is not None
    assert result.after.ops.total_macs < result.before.ops.total_macs
    assert result.after.arena.required_bytes <= result.before.arena.required_bytes
    prove_equal(planted.graph, read_graph(result.content))


@needs_shared
def test_visual_wake_words_lose_half_of_their_work() -> None:
    path = MODELS / "mlperf_vww_int8.tflite"
    graph = read_graph(path.read_bytes())
    result = optimize_model(path, settings=OptimizeOptions(time_limit_s=200.0))
    new = result.after
    assert len(result.content) <= 106_000
    assert new.ops.total_macs <= 3_730_000
    assert new.arena.required_bytes < result.before.arena.required_bytes / 1.9
    prove_equal(graph, read_graph(result.content))


@needs_shared
@pytest.mark.parametrize("name", ["tflm_person_detect", "mlperf_kws_int8", "mlperf_ic_int8"])
def test_nothing_is_taken_where_nothing_is_to_gain(name: str) -> None:
    """Person detection has a channel that nothing reads; without it the layer would be slower."""
    assert optimize_model(MODELS / f"{name}.tflite").compaction is None
