"""Operators that keep state or run other subgraphs."""

from __future__ import annotations

from flatbuffers import flexbuffers

from predictor.model.builder import TensorRef
from predictor.model.builder.model_builder import SubgraphBuilder
from predictor.model.graph import Quantization
from truth.sketch import Sketch, like, recipe

_STATE_SCALE, _TIME_SCALE = 2.0**-10, 2.0**-7


@recipe("SVDF", "float32 int8-int16 int8-int8")
def _svdf(s: Sketch) -> None:
    b, is_float = s.builder, s.type == "float32"
    batches, inputs, units, memory, rank = 1, *(s.draw.randint(1, 8) for _ in range(3)), 2
    filters = units * rank
    kind, state_type = s.type, s.types[-1]
    bias_type = "float32" if is_float else "int32"

    def scaled(scale: float) -> Quantization | None:
        return None if is_float else Quantization((scale,), (0,))

    x = s.input((batches, inputs))
    feature = b.constant([[1] * inputs] * filters, kind, quantization=scaled(0.01))
    time = b.constant([[1] * memory] * filters, state_type, quantization=scaled(_TIME_SCALE))
    bias_scale = scaled(_STATE_SCALE * _TIME_SCALE)
    bias = b.constant([1] * units, bias_type, quantization=bias_scale)
    state_shape = (batches, memory * filters)
    state = b.variable(state_shape, state_type, quantization=scaled(_STATE_SCALE))
    options = {"rank": rank, "fused_activation_function": "relu"}
    s.apply(
        [x, feature, time, bias, state],
        ((batches, units), kind, scaled(0.05)),
        options=options,
    )


@recipe("UNIDIRECTIONAL_SEQUENCE_LSTM", "float32 int8 int16 int8_major")
def _lstm(s: Sketch) -> None:
    b, draw, is_float = s.builder, s.draw, s.type == "float32"
    batches, steps, inputs, cells = (draw.randint(1, 6) for _ in range(4))
    is_major = s.feature == "major"
    weight_type = "float32" if is_float else "int8"
    bias_type = {"float32": "float32", "int8": "int32", "int16": "int64"}[s.type]

    def weights(columns: int) -> list[TensorRef | None]:
        scale = None if is_float else Quantization((0.01,), (0,))
        values = [[draw.randint(-9, 9) for _ in range(columns)] for _ in range(cells)]
        return [b.constant(values, weight_type, quantization=scale) for _ in range(4)]

    scale = None if is_float else Quantization((0.0078125,), (0,))
    x = s.input((steps, batches, inputs) if is_major else (batches, steps, inputs), None, scale)
    bias_scale = None if is_float else Quantization((0.000078125,), (0,))
    biases = [b.constant([1] * cells, bias_type, quantization=bias_scale) for _ in range(4)]
    hidden = b.variable((batches, cells), s.type, quantization=scale)
    cell_type = "float32" if is_float else "int16"
    cell_scale = None if is_float else Quantization((2.0**-11,), (0,))
    cell = b.variable((batches, cells), cell_type, quantization=cell_scale)
    none: list[TensorRef | None] = [None]
    operands = [x, *weights(inputs), *weights(cells), *none * 3, *biases, *none * 2, hidden, cell]
    gates = [] if is_float else [((0,), "int8", Quantization((0.001,), (0,)))] * 5
    s.apply(
        [*operands, *none * 4],
        (((steps, batches) if is_major else (batches, steps)) + (cells,), s.type, scale),
        options={"fused_activation_function": "tanh", "cell_clip": 0.0, "time_major": is_major},
        intermediates=gates,
    )


@recipe("CIRCULAR_BUFFER", "int8 int8_cycles")
def _circular_buffer(s: Sketch) -> None:
    slots, channels = s.draw.randint(2, 4), s.draw.randint(1, 16)
    x = s.input((1, 1, 1, channels))
    cycles = flexbuffers.Dumps({"cycles_max": 1}) if s.feature == "cycles" else None
    s.apply([x], like(x, (1, slots, 1, channels)), is_custom=True, custom_options=cycles)


def _branch(s: Sketch, name: str, shape: tuple[int, ...], operator: str) -> SubgraphBuilder:
    """A subgraph of two operators, so that it has a tensor of its own to plan."""
    branch = s.builder.subgraph(name)
    x = branch.input(shape, s.type)
    inner = branch.relu(x, quantization=x.quantization)
    branch.output(*branch.operator(operator, [inner], [like(x)]))
    return branch


@recipe("IF", "float32 int8 int16")
def _if(s: Sketch) -> None:
    shape = s.shape(3)
    condition, x = s.input((1,), "bool"), s.input(shape)
    then, other = _branch(s, "then", shape, "RELU6"), _branch(s, "else", shape, "RELU")
    options = {"then_subgraph_index": then.index, "else_subgraph_index": other.index}
    s.apply([condition, x], like(x), options=options)


@recipe("WHILE", "float32 int32")
def _while(s: Sketch) -> None:
    """Adds 1 until 10 is reached."""
    x = s.input((1,))
    condition, body = s.builder.subgraph("condition"), s.builder.subgraph("body")
    bounds = [condition.input(x.shape, s.type), condition.constant([10], s.type)]
    condition.output(*condition.operator("LESS", bounds, [(x.shape, "bool")]))
    terms = [body.input(x.shape, s.type), body.constant([1], s.type)]
    options = {"fused_activation_function": "none", "pot_scale_int16": False}
    body.output(*body.operator("ADD", terms, [like(x)], options))
    indices = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    s.apply([x], like(x), options=indices)


@recipe("CALL_ONCE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE", "int8 float32")
def _variables(s: Sketch) -> None:
    """A variable that a subgraph assigns once, or that keeps the last input."""
    b, shape = s.builder, s.shape(2)
    names = {"container": "", "shared_name": "memory"}
    x = s.input(shape)
    if s.operator == "CALL_ONCE":
        start = b.subgraph("start")
        (handle,) = start.operator("VAR_HANDLE", [], [((1,), "int32")], names)
        zeros = start.constant([[0] * shape[1]] * shape[0], s.type, quantization=x.quantization)
        start.operator("ASSIGN_VARIABLE", [handle, zeros], [], {})
        start.output(start.constant([0], "int32"))
        b.operator("CALL_ONCE", [], [], {"init_subgraph_index": start.index})
    (handle,) = b.operator("VAR_HANDLE", [], [((1,), "int32")], names)
    (kept,) = b.operator("READ_VARIABLE", [handle], [like(x)], {})
    both = b.maximum(x, kept)
    b.operator("ASSIGN_VARIABLE", [handle, both], [], {})
    if s.operator == "VAR_HANDLE":
        second = {"container": "", "shared_name": "another"}
        (other,) = b.operator("VAR_HANDLE", [], [((1,), "int32")], second)
        b.operator("ASSIGN_VARIABLE", [other, x], [], {})
    b.output(both)
