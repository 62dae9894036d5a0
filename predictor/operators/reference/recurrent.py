"""UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF. Mirrors kernels/lstm_eval.cc, kernels/lstm_eval_common.cc,
kernels/unidirectional_sequence_lstm.cc, kernels/svdf_common.cc and kernels/svdf.cc."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_rank, int_option, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.convolution import product_f32
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.parsing import options_of
from predictor.operators.quantized import INT32_BYTES, scale
from predictor.operators.reference import register
from predictor.operators.reference.fully_connected import calculate_op_data
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

# Positions of the LSTM's inputs, as lstm_shared.h has them.
_INPUT_WEIGHTS = range(1, 5)
_RECURRENT_WEIGHTS = range(5, 9)
WEIGHTS = range(1, 9)
BIASES = range(12, 16)
_UNSUPPORTED = {"peephole": range(9, 12), "projection": range(16, 18), "layer norm": range(20, 24)}
_HIDDEN_STATE = 18
_CELL_STATE = 19
_LSTM_INPUTS = 24
_GATES = 4
_FORGET_INPUT_CELL_OUTPUT = (1, 0, 2, 3)
"""The order in which gates are prepared, as offsets into weights."""
_OPERATIONS_PER_CELL = 13


class LstmSize(NamedTuple):
    batches: int
    steps: int
    inputs: int
    cells: int


def _check_shape(ctx: NodeContext, tensor: Tensor, *shape: int) -> None:
    ctx.ensure(
        ctx.shape(tensor) == shape,
        f"tensor {tensor.name!r} needs the shape {list(shape)}, not {list(ctx.shape(tensor))}",
    )


def _lstm_size(ctx: NodeContext, input: Tensor, hidden_state: Tensor) -> LstmSize:
    """Mirrors ``CreateLstmSizeInfo``."""
    first, second, inputs = ctx.shape(input)[:3]
    cells = ctx.shape(hidden_state)[1]
    if options_of(ctx, "UnidirectionalSequenceLSTMOptions").get("time_major", False):
        return LstmSize(second, first, inputs, cells)
    return LstmSize(first, second, inputs, cells)


def count_lstm(ctx: NodeContext) -> OpCount:
    """MACs of the four gates at each step.

    Other operations, for each cell: 4 sums of the gates' two products, 5 non-linear functions, 3
    products and 1 sum.
    """
    input, state = ctx.input(0), ctx.input(_HIDDEN_STATE)
    if input is None or state is None:
        return OpCount()
    if len(ctx.shape(input)) < 3 or len(ctx.shape(state)) < 2:
        return OpCount()
    size = _lstm_size(ctx, input, state)
    cells = size.batches * size.steps * size.cells
    return OpCount(cells * _GATES * (size.inputs + size.cells), cells * _OPERATIONS_PER_CELL)


class LstmTensors(NamedTuple):
    """The tensors that are there, by position, and the sizes that follow from them."""

    internal: dict[int, Tensor]
    size: LstmSize

    @property
    def input(self) -> Tensor:
        return self.internal[0]

    @property
    def cell_state(self) -> Tensor:
        return self.internal[_CELL_STATE]


def prepare_lstm(ctx: NodeContext) -> None:
    lstm = check_lstm(ctx, must_be_constant=())
    request_lstm_buffers(ctx, lstm, 4)


def check_lstm(ctx: NodeContext, must_be_constant: Iterable[int]) -> LstmTensors:
    """All checks of Prepare, and what the gates' products allocate."""
    need_counts(ctx, _LSTM_INPUTS, 1)
    tensors = [ctx.temp_input(position) for position in range(_LSTM_INPUTS)]
    output = ctx.temp_output(0)
    assert output is not None
    internal = _validated(ctx, tensors, output)
    for position in must_be_constant:
        tensor = internal[position]
        ctx.ensure(tensor.is_constant, f"tensor {tensor.name!r} must be constant")
    lstm = LstmTensors(internal, _validated_size(ctx, internal, output))
    ctx.ensure_type(lstm.cell_state, TensorType.FLOAT32, TensorType.INT16)
    if lstm.cell_state.type == TensorType.INT16:
        _prepare_gates(ctx, internal)
    return lstm


def request_lstm_buffers(ctx: NodeContext, lstm: LstmTensors, buffers: int) -> None:
    """Scratch buffers of the gates; then what runs."""
    for _ in range(buffers):
        elements = lstm.size.batches * lstm.size.cells
        ctx.scratch(elements * RUNTIME_TYPE_BYTES[lstm.cell_state.type])
    runs_on(ctx, lstm.input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)
    if lstm.input.type in (TensorType.INT8, TensorType.INT16):
        runs_on(ctx, lstm.internal[1], TensorType.INT8)


def _validated(ctx: NodeContext, tensors: list[Tensor | None], output: Tensor) -> dict[int, Tensor]:
    """Mirrors ``ValidateTensorStatus``; returns the tensors that are there, by position."""
    needed = (0, *WEIGHTS, *BIASES, _HIDDEN_STATE, _CELL_STATE)
    internal = {}
    for position in needed:
        tensor = tensors[position]
        if tensor is None:
            ctx.refuse(f"input {position} is missing")
        internal[position] = tensor
    for position in (_HIDDEN_STATE, _CELL_STATE):
        tensor = internal[position]
        ctx.ensure(tensor.is_variable, f"state tensor {tensor.name!r} must be a variable")
    for tensor in (internal[_HIDDEN_STATE], output):
        ctx.ensure_type(tensor, internal[0].type)
    for positions in (WEIGHTS, BIASES):
        for position in positions:
            ctx.ensure_type(internal[position], internal[positions[1]].type)
    for what, positions in _UNSUPPORTED.items():
        ctx.ensure(
            all(tensors[position] is None for position in positions), f"it does not support {what}"
        )
    return internal


def _validated_size(ctx: NodeContext, internal: dict[int, Tensor], output: Tensor) -> LstmSize:
    """Mirrors ``ValidateTensorSize``."""
    input, hidden_state = internal[0], internal[_HIDDEN_STATE]
    # TFLM reads these dimensions without asking for their number.
    for tensor, least in ((input, 3), (hidden_state, 2)):
        rank = len(ctx.shape(tensor))
        ctx.ensure(rank >= least, f"tensor {tensor.name!r} needs {least} dimensions, not {rank}")
    size = _lstm_size(ctx, input, hidden_state)
    for positions, inputs in ((_INPUT_WEIGHTS, size.inputs), (_RECURRENT_WEIGHTS, size.cells)):
        for position in positions:
            _check_shape(ctx, internal[position], size.cells, inputs)
    for position in BIASES:
        _check_shape(ctx, internal[position], size.cells)
    _check_shape(ctx, output, *ctx.shape(input)[:2], size.cells)
    for position in (_HIDDEN_STATE, _CELL_STATE):
        tensor = internal[position]
        ctx.ensure(
            ctx.element_count(tensor) == size.batches * size.cells,
            f"state tensor {tensor.name!r} needs {size.batches} x {size.cells} elements",
        )
    return size


def _prepare_gates(ctx: NodeContext, internal: dict[int, Tensor]) -> None:
    """Mirrors ``PrepareGateParametersInteger``, which treats each product as FULLY_CONNECTED.

    Per-channel weights thus get multipliers, although the LSTM does not use them.
    """
    for gate in _FORGET_INPUT_CELL_OUTPUT:
        for activations, weights in ((0, _INPUT_WEIGHTS), (_HIDDEN_STATE, _RECURRENT_WEIGHTS)):
            calculate_op_data(ctx, internal[activations], internal[weights[gate]], None, None)


class _SvdfTensors(NamedTuple):
    input: Tensor
    weights_feature: Tensor
    weights_time: Tensor
    bias: Tensor
    state: Tensor
    output: Tensor


def count_svdf(ctx: NodeContext) -> OpCount:
    """MACs of both filters; one addition for each filter, the sum over the ranks."""
    input, weights_feature, weights_time = (ctx.input(position) for position in range(3))
    if input is None or weights_feature is None or weights_time is None:
        return OpCount()
    shapes = [ctx.shape(tensor) for tensor in (input, weights_feature, weights_time)]
    if any(len(shape) != 2 for shape in shapes):
        return OpCount()
    (batches, inputs), (filters, _), (_, memory) = shapes
    return OpCount(batches * filters * (inputs + memory), batches * filters)


def prepare_svdf(ctx: NodeContext) -> None:
    """Mirrors ``PrepareSvdf``."""
    input, weights_feature, weights_time = (ctx.need_input(position) for position in range(3))
    bias, state = ctx.temp_input(3), ctx.need_input(4)
    output = ctx.need_output(0)
    need_counts(ctx, 5, 1)
    # TFLM takes the bias for optional at first, but later reads its scale and frees its temporary
    # tensor: without one, its count of temporary buffers is wrong, which it reports as an error.
    if bias is None:
        ctx.refuse("it needs a bias")
    ctx.ensure_type(input, TensorType.FLOAT32, TensorType.INT8)
    tensors = _SvdfTensors(input, weights_feature, weights_time, bias, state, output)
    batches, filters, units = _check_svdf_shapes(ctx, tensors)
    ctx.ensure(state.is_variable, f"state tensor {state.name!r} must be a variable")
    _check_svdf_types(ctx, tensors)
    ctx.scratch(batches * filters * INT32_BYTES)
    if input.type == TensorType.INT8:
        ctx.scratch(batches * units * INT32_BYTES)


def _check_svdf_shapes(ctx: NodeContext, tensors: _SvdfTensors) -> tuple[int, int, int]:
    """Returns batch size, number of filters and number of units."""
    for tensor in tensors:
        if tensor is not tensors.bias:
            ensure_rank(ctx, tensor, 2)
    batches, inputs = ctx.shape(tensors.input)
    filters, memory = ctx.shape(tensors.weights_feature)[0], ctx.shape(tensors.weights_time)[1]
    rank = int_option(ctx, "SVDFOptions", "rank")
    ctx.ensure(
        rank > 0 and filters % rank == 0, f"{filters} filters are no multiple of the rank {rank}"
    )
    units = filters // rank
    expected = (
        (tensors.weights_feature, (filters, inputs)),
        (tensors.weights_time, (filters, memory)),
        (tensors.state, (batches, memory * filters)),
        (tensors.output, (batches, units)),
    )
    for tensor, shape in expected:
        _check_shape(ctx, tensor, *shape)
    ctx.ensure(ctx.shape(tensors.bias)[:1] == (units,), f"the bias needs {units} elements")
    return batches, filters, units


def _check_svdf_types(ctx: NodeContext, tensors: _SvdfTensors) -> None:
    if tensors.input.type == TensorType.FLOAT32:
        for tensor in tensors:
            ctx.ensure_type(tensor, TensorType.FLOAT32)
        return
    ctx.ensure_type(tensors.weights_feature, TensorType.INT8)
    ctx.ensure_type(tensors.weights_time, TensorType.INT16, TensorType.INT8)
    ctx.ensure_type(tensors.state, TensorType.INT16, TensorType.INT8)
    ctx.ensure_type(tensors.bias, TensorType.INT32)
    ctx.ensure_type(tensors.output, TensorType.INT8)
    wanted = product_f32(scale(tensors.state), scale(tensors.weights_time))
    ctx.ensure(
        abs(scale(tensors.bias) - wanted) < 1e-5,
        f"the bias's scale {scale(tensors.bias)} is not that of state x time weights, {wanted}",
    )


register(
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    params="TfLiteUnidirectionalSequenceLSTMParams",
    init=allocates("LstmOpData"),
    prepare=prepare_lstm,
    count=count_lstm,
)
register(
    "SVDF",
    params="TfLiteSVDFParams",
    init=allocates("SvdfOpData"),
    prepare=prepare_svdf,
    count=count_svdf,
)
