# SPDX-License-Identifier: Apache-2.0
"""Runs device models (predictor/model/device/device_model.py) on any `kernels.binding.Library`.

What a network with int4 activations computes, without a microcontroller: every operator by its
kernel, or by the plain loops of kernels/reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from kernels.binding import Argument, Library, Struct
from kernels.calls import KernelError
from predictor.errors import RefusedError
from predictor.model.device.elementwise_options import LookupOptions, MeanOptions, PairOptions
from predictor.model.device.layers import options_of
from predictor.model.device.options import (
    PREPARED_BITS,
    AddOptions,
    ClampOptions,
    DeviceOptions,
    PadOptions,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    WeightedOptions,
    packed_bytes,
)
from predictor.model.device.prepared_filter import filter_weights
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.graph import Graph, Operator, Subgraph, Tensor

Arrays = list[np.ndarray | None]
"""Stored tensors by index, flat int8 (biases int32); None: no data."""

_KERNELS = {
    "CONV_2D": "convolve",
    "DEPTHWISE_CONV_2D": "depthwise_conv",
    "FULLY_CONNECTED": "fully_connected",
    "AVERAGE_POOL_2D": "avgpool",
    "MAX_POOL_2D": "max_pool",
}


def run_device_model(
    library: Library, graph: Graph, inputs: Sequence[np.ndarray], reference: bool = False
) -> list[np.ndarray]:
    """The outputs of one inference, as stored (int4 packed), flat.

    Args:
        inputs: the model's inputs; int4 ones packed.
        reference: by kernels/reference instead of the kernels.

    Raises:
        KernelError: a kernel refuses its operator, or there is none for it.
    """
    main = graph.main
    arrays: Arrays = [_constant(tensor) for tensor in main.tensors]
    for index, given in zip(main.inputs, inputs, strict=True):
        arrays[index] = np.ascontiguousarray(given, np.int8).reshape(-1)
    for op in main.operators:
        tensors = [arrays[index] if index >= 0 else None for index in op.inputs]
        arrays[op.outputs[0]] = _run(library, main, op, tensors, reference)
    return [array for index in main.outputs if (array := arrays[index]) is not None]


def _constant(tensor: Tensor) -> np.ndarray | None:
    if tensor.data is None:
        return None
    dtype = np.int32 if tensor.type.name == "INT32" else np.int8
    return np.frombuffer(bytes(tensor.data), dtype).copy()


def _run(
    library: Library,
    main: Subgraph,
    op: Operator,
    tensors: list[np.ndarray | None],
    reference: bool,
) -> np.ndarray:
    if op.name == "RESHAPE":
        assert tensors[0] is not None
        return tensors[0].copy()
    if not op.is_custom:
        return _run_layer(library, _builtin(main, op), tensors, reference)
    options = read_options(op.name, op.custom_options)
    if isinstance(options, StreamOptions) and reference:
        return run_group_layers(library, options, tensors, reference)
    return _run_layer(library, options, tensors, reference, op.custom_options)


def _builtin(main: Subgraph, op: Operator) -> DeviceOptions:
    """Of an operator that has a kernel in groups only."""
    try:
        return options_of(main, op)
    except RefusedError as error:
        raise KernelError(f"operator {op.index} ({op.label}) has no kernel: {error}") from None


def _run_layer(
    library: Library,
    options: DeviceOptions,
    tensors: list[np.ndarray | None],
    reference: bool,
    table: bytes | None = None,
) -> np.ndarray:
    if isinstance(options, StreamOptions):
        symbol, arguments, output = _stream(library, options, tensors, table or b"")
    else:
        symbol, arguments, output = _CALLS[type(options)](library, options, tensors, reference)
    if library.call(symbol, *arguments) != 0 and not reference:
        raise KernelError(f"{symbol} refuses {options.code}")
    return output


def run_group_layers(
    library: Library,
    options: StreamOptions,
    tensors: list[np.ndarray | None],
    reference: bool = False,
) -> np.ndarray:
    """A group as one layer after the other.

    Raises:
        KernelError: a kernel refuses its layer.
    """
    made: list[np.ndarray | None] = []
    for stage in options.stages:
        given = [made[source] if source >= 0 else tensors[0] for source in stage.sources]
        if stage.filter:
            given += [tensors[stage.filter], tensors[stage.bias] if stage.bias else None]
        made.append(_run_layer(library, stage.options, given, reference))
    output = made[-1]
    assert output is not None
    return output


Call = tuple[str, list[Argument], np.ndarray]
"""Symbol, arguments, and the array that the call fills."""


def _output(elements: int, bits: int) -> np.ndarray:
    return np.full(packed_bytes(elements, bits), 0x55, np.int8)


def _weighted(
    library: Library, options: WeightedOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    arguments: list[Argument]
    suffix = options.code.split(options.operator)[1].lower()
    name = _KERNELS[options.operator]
    params = Struct(options.params())
    entries = len(options.tables.multipliers)
    tables: tuple[int | np.ndarray | None, ...] = (
        np.array(options.tables.multipliers, np.int32),
        np.array(options.tables.shifts, np.int32),
    )
    is_connected = options.operator == "FULLY_CONNECTED"
    quantization = Struct((*tables, int(entries != 1)) if is_connected else tables)
    dims = [Struct(options.input_dims), Struct(options.filter_dims), Struct(options.output_dims)]
    bias = tensors[2] if len(tensors) > 2 else None
    output = _output(prod(options.output_dims), options.input_bits)
    if reference:
        bits, filter = options.weight_bits, tensors[1]
        if bits == PREPARED_BITS and filter is not None:
            bits, filter = 8, filter_weights(options, filter.data).reshape(-1)
        arguments = [options.input_bits, bits, params, quantization, dims[0], tensors[0]]
        arguments += [dims[1], filter, bias]
        return f"mn_reference_{name}", [*arguments, dims[2], output], output
    symbol = f"mn_{name}{suffix}"
    size = library.call(f"{symbol}_get_buffer_size", *([] if is_connected else [params]), *dims)
    scratch = Struct((np.zeros(max(size // 4, 1), np.int32), size))
    arguments = [scratch, params, quantization, dims[0], tensors[0], dims[1], tensors[1]]
    return symbol, [*arguments, None, bias, dims[2], output], output


def _stream(
    library: Library, options: StreamOptions, tensors: list[np.ndarray | None], table: bytes
) -> Call:
    symbol = options.code.lower()
    output = np.full(options.tensor_bytes[-1], 0x55, np.int8)
    group = stream_group(table, [0 if item is None else item.nbytes for item in tensors], output)
    size = library.call(f"{symbol}_get_buffer_size", group)
    scratch = Struct((np.full(max(size // 4, 1), 0x5A5A5A5A, np.int32), size))
    return symbol, [scratch, group, Struct(tuple(tensors)), output], output


def stream_group(table: bytes, input_bytes: Sequence[int], output: np.ndarray) -> Struct:
    """A ``mn_stream_group``."""
    words = np.frombuffer(table, np.int32).copy()
    sizes = np.array(input_bytes, np.int32)
    return Struct((words, words.size, sizes.size, sizes, output.nbytes))


def _symbol(name: str, bits: int, reference: bool) -> tuple[str, list[Argument]]:
    """A kernel's symbol and the arguments that stand first."""
    return (f"mn_reference_{name}", [bits]) if reference else (f"mn_{name}_s{bits}", [])


def _pool(
    _: Library, options: PoolOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol(_KERNELS[options.operator], options.bits, reference)
    output = _output(prod(options.output_dims), options.bits)
    params = (*options.stride[::-1], *options.padding[::-1], *options.activation)
    arguments += [Struct(params), Struct(options.input_dims), tensors[0]]
    arguments += [Struct((1, *options.window, 1)), Struct(options.output_dims), output]
    return symbol, arguments, output


def _add(
    _: Library, options: AddOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    name = "add" if reference else "elementwise_add"
    symbol, arguments = _symbol(name, options.bits, reference)
    output = _output(options.count, options.bits)
    params = Struct(options.params())
    return symbol, [*arguments, params, tensors[0], tensors[1], output, options.count], output


def _softmax(
    _: Library, options: SoftmaxOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol("softmax", options.bits, reference)
    output = _output(options.rows * options.row_size, 8)
    scaling = [options.multiplier, options.left_shift, options.diff_min]
    arguments += [tensors[0], options.rows, options.row_size, *scaling, output]
    return symbol, arguments, output


def _pad(
    _: Library, options: PadOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol("pad", options.bits, reference)
    output = _output(options.work[1], options.bits)
    dims = [Struct(options.before), Struct(options.after)]
    return symbol, [
        *arguments, options.value, Struct(options.input_dims), tensors[0], *dims, output,
    ], output  # fmt: skip


def _clamp(
    _: Library, options: ClampOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol("clamp", options.bits, reference)
    output = _output(options.count, options.bits)
    return symbol, [
        *arguments, Struct(options.activation), tensors[0], output, options.count,
    ], output  # fmt: skip


def _requantize(
    _: Library, options: RequantizeOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    output = _output(options.count, options.output_bits)
    scaling = (options.input_offset, options.multiplier, options.shift, options.output_offset)
    bits = (options.input_bits, options.output_bits)
    if reference:
        arguments: list[Argument] = [*bits, *scaling, tensors[0], output, options.count]
        return "mn_reference_requantize", arguments, output
    symbol = f"mn_requantize_s{bits[0]}_s{bits[1]}"
    return symbol, [Struct(scaling), tensors[0], output, options.count], output


def _lookup(
    _: Library, options: LookupOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol("lookup", 8, reference)
    output = _output(options.count, 8)
    table = np.frombuffer(options.table, np.int8)
    return symbol, [*arguments, table, tensors[0], output, options.count], output


def _mean(
    _: Library, options: MeanOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol("mean", 8, reference)
    output = _output(options.outer * options.inner, 8)
    sizes = [options.outer, options.reduced, options.inner]
    return symbol, [*arguments, Struct(options.params()), *sizes, tensors[0], output], output


def _pair(
    _: Library, options: PairOptions, tensors: list[np.ndarray | None], reference: bool
) -> Call:
    symbol, arguments = _symbol(options.operator.lower(), 8, reference)
    output = _output(prod(options.output_dims), 8)
    if options.params:
        arguments.append(Struct(options.params))
    for dims, tensor in zip(options.input_dims, tensors, strict=True):
        arguments += [Struct(dims), tensor]
    return symbol, [*arguments, Struct(options.output_dims), output], output


_CALLS: dict[type[DeviceOptions], Callable[..., Call]] = {
    AddOptions: _add,
    ClampOptions: _clamp,
    LookupOptions: _lookup,
    MeanOptions: _mean,
    PadOptions: _pad,
    PairOptions: _pair,
    PoolOptions: _pool,
    RequantizeOptions: _requantize,
    SoftmaxOptions: _softmax,
    WeightedOptions: _weighted,
}
