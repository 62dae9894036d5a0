"""Calls the host build with damaged arguments; run by test_arguments.py under the sanitizers.

Each case takes a valid layer, changes a few of its numbers to extremes, and knows from the
documentation whether the kernel must refuse. Refused cases get one-byte tensors, so that reading
any tensor is caught; accepted ones get tensors of the exact size.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from kernels.binding import Library, NativeLibrary, Struct
from kernels.calls import KernelError, Layer, buffer_bytes, run
from predictor.model.device.options import packed_bytes
from tests.kernels import random_layers
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS, bounds

INT32_MAX = (1 << 31) - 1
EXTREMES = (-INT32_MAX - 1, -129, -9, -1, 0, 1, 2, 3, 5, 8, 128, 1 << 15, 1 << 16, INT32_MAX)
LARGEST_TENSOR_BYTES = 1 << 18
LARGEST_STEP = 65535
_DAMAGED = (
    "input_dims", "filter_dims", "output_dims", "stride", "padding", "dilation", "activation",
    "input_offset", "output_offset", "multiplier_of_channels",
)  # fmt: skip


def _damage(rng: np.random.Generator, layer: Layer) -> Layer:
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(_DAMAGED))
        value = getattr(layer, name)
        extreme = int(rng.choice(EXTREMES))
        if isinstance(value, tuple):
            index = int(rng.integers(len(value)))
            layer = layer.moved(**{name: (*value[:index], extreme, *value[index + 1 :])})
        else:
            layer = layer.moved(**{name: extreme})
    return layer


def _are_dims(dims: Sequence[int]) -> bool:
    return min(dims) > 0 and prod(dims) <= INT32_MAX


def _is_window(layer: Layer, axis: int) -> bool:
    stride, padding, dilation = (
        pair[axis] for pair in (layer.stride, layer.padding, layer.dilation)
    )
    last = (layer.output_dims[1 + axis] - 1) * stride
    reach = (layer.filter_dims[1 + axis] - 1) * dilation
    return (
        0 < stride <= LARGEST_STEP
        and 0 < dilation <= LARGEST_STEP
        and 0 <= padding <= LARGEST_STEP
        and last + reach <= INT32_MAX - 2 * LARGEST_STEP
        and layer.input_dims[1 + axis] <= INT32_MAX - 2 * LARGEST_STEP
    )


def _do_dims_agree(operator: str, layer: Layer) -> bool:
    n, _, _, inputs = layer.input_dims
    filters, _, _, depth = layer.filter_dims
    _, height, width, outputs = layer.output_dims
    if n != layer.output_dims[0]:
        return False
    if operator == "fully_connected":
        connected = prod(layer.filter_dims[1:]) == prod(layer.input_dims[1:])
        return (height, width, filters) == (1, 1, outputs) and connected
    if not (_is_window(layer, 0) and _is_window(layer, 1)):
        return False
    if operator == "depthwise":
        multiplier = layer.multiplier_of_channels
        return filters == 1 and depth == outputs and multiplier > 0 and (
            inputs * multiplier == outputs
        )  # fmt: skip
    return filters == outputs and inputs % depth == 0 and outputs % (inputs // depth) == 0


def is_valid(operator: str, layer: Layer) -> bool:
    """Whether the documentation lets the kernel run the layer."""
    low, high = bounds(layer.activations)
    return (
        all(_are_dims(d) for d in (layer.input_dims, layer.filter_dims, layer.output_dims))
        and _do_dims_agree(operator, layer)
        and -high <= layer.input_offset <= -low
        and low <= layer.output_offset <= high
        and low <= layer.activation[0] <= layer.activation[1] <= high
    )


def _sized(rng: np.random.Generator, layer: Layer) -> Layer | None:
    """The layer with arrays of the sizes that its dimensions name, None where they are large."""
    tensors = (layer.input_dims, layer.filter_dims, layer.output_dims)
    if max(map(prod, tensors)) > LARGEST_TENSOR_BYTES:
        return None
    channels = layer.output_dims[3]
    if prod(layer.output_dims) * prod(layer.filter_dims) // channels > 1 << 22:
        return None
    quantized = channels if layer.per_channel else 1
    return layer.moved(
        filter=random_layers.tensor(rng, prod(layer.filter_dims), layer.weights),
        bias=None if layer.bias is None else np.resize(layer.bias, channels),
        multiplier=np.resize(layer.multiplier, quantized),
        shift=np.resize(layer.shift, quantized),
    )


def _must_refuse(library: NativeLibrary, operator: str, layer: Layer) -> None:
    """Refused with a scratch buffer of any size, before a tensor is touched."""
    byte = np.zeros(1, np.int8)
    layer = layer.moved(filter=byte, bias=None)
    if not _refuses(_LargeScratch(library), operator, layer, byte, byte.copy()):
        raise AssertionError(f"{operator} ran {layer}")


def _refuses(
    library: Library,
    operator: str,
    layer: Layer,
    data: np.ndarray,
    output: np.ndarray | None = None,
) -> bool:
    try:
        run(library, operator, layer, data, output)
    except KernelError:
        return True
    return False


class _LargeScratch:
    """Answers every buffer size with 64, so that the kernel itself has to refuse."""

    def __init__(self, library: NativeLibrary) -> None:
        self._library = library

    def call(self, symbol: str, *arguments: object) -> int:
        """As the library."""
        status = self._library.call(symbol, *arguments)  # type: ignore[arg-type]
        return 64 if symbol.endswith("_get_buffer_size") else status


def _must_run(
    library: NativeLibrary, rng: np.random.Generator, operator: str, layer: Layer
) -> None:
    """Runs with the exact scratch size; refuses a smaller, a missing and an unaligned one."""
    data = random_layers.tensor(rng, prod(layer.input_dims), layer.activations)
    size = buffer_bytes(library, operator, layer)
    if size > LARGEST_TENSOR_BYTES:
        return
    run(library, operator, layer, data)
    if size == 0:
        return
    scratch = np.zeros(size // 4 + 2, np.int32)
    unaligned = scratch.view(np.int8)[1 : size + 1]
    for context in ((scratch, size - 1), (None, size), (unaligned, size), (scratch, -1)):
        if not _refuses(_OtherContext(library, Struct(context)), operator, layer, data):
            raise AssertionError(f"{operator} ran with the scratch {context}: {layer}")


class _OtherContext:
    """Passes another context to the kernel."""

    def __init__(self, library: NativeLibrary, context: Struct) -> None:
        self._library = library
        self._context = context

    def call(self, symbol: str, *arguments: object) -> int:
        """As the library."""
        if not symbol.endswith("_get_buffer_size"):
            arguments = (self._context, *arguments[1:])
        return self._library.call(symbol, *arguments)  # type: ignore[arg-type]


def fuzz_layers(library: NativeLibrary, rng: np.random.Generator, count: int) -> tuple[int, int]:
    """How many cases were refused and how many ran."""
    refused = ran = 0
    for _ in range(count):
        operator = str(rng.choice(OPERATORS))
        widths = BIT_WIDTHS[int(rng.integers(len(BIT_WIDTHS)))]
        layer, _ = random_layers.layer(rng, operator, widths, None)
        layer = _damage(rng, layer)
        if not is_valid(operator, layer):
            _must_refuse(library, operator, layer)
            refused += 1
            continue
        sized = _sized(rng, layer)
        if sized is not None:
            _must_run(library, rng, operator, sized)
            ran += 1
    return refused, ran


def null_pointers(library: NativeLibrary) -> None:
    """Every pointer of every layer kernel as null, one at a time."""
    rng = np.random.default_rng(0)
    for operator in OPERATORS:
        for widths in BIT_WIDTHS:
            layer, data = random_layers.layer(rng, operator, widths, 5)
            for form in random_layers.forms(operator, layer):
                # bias_dims and bias may be null, and the context where no scratch is needed.
                first = 0 if buffer_bytes(library, operator, form) else 1
                for index in (*range(first, 7), 9, 10):
                    if not _refuses(_NullArgument(library, index), operator, form, data):
                        raise AssertionError(f"{operator} ran without argument {index}: {form}")


def unaligned_filters(library: NativeLibrary) -> None:
    """Prepared filters, which are read by words, at addresses that are no multiple of 4."""
    rng = np.random.default_rng(0)
    for widths in BIT_WIDTHS:
        layer, data = random_layers.layer(rng, "depthwise", widths, 5)
        prepared = random_layers.with_prepared_filter(layer)
        for step in (1, 2, 3):
            memory = np.zeros(prepared.filter.size + 4, np.int32).view(np.int8)
            moved = memory[step : step + prepared.filter.size]
            moved[:] = prepared.filter
            if not _refuses(library, "depthwise", prepared.moved(filter=moved), data):
                raise AssertionError(f"it ran with a filter {step} bytes from a word: {layer}")


class _NullArgument:
    """Passes null for one argument of the kernel."""

    def __init__(self, library: NativeLibrary, index: int) -> None:
        self._library = library
        self._index = index

    def call(self, symbol: str, *arguments: object) -> int:
        """As the library."""
        if not symbol.endswith("_get_buffer_size"):
            arguments = tuple(
                None if i == self._index else argument for i, argument in enumerate(arguments)
            )
        return self._library.call(symbol, *arguments)  # type: ignore[arg-type]


def fuzz_pooling(library: NativeLibrary, rng: np.random.Generator, count: int) -> int:
    """Pooling with damaged numbers and exact tensors; returns how many cases were refused."""
    refused = 0
    for _ in range(count):
        bits = int(rng.choice([8, 4]))
        layer, _ = random_layers.pooling_layer(rng, bits)
        layer = _damage(rng, layer)
        dims = (layer.input_dims, layer.output_dims)
        are_valid = all(map(_are_dims, dims))
        if are_valid and max(map(prod, dims)) > LARGEST_TENSOR_BYTES:
            continue
        if are_valid and prod(layer.output_dims) * abs(prod(layer.filter_dims[1:3])) > 1 << 24:
            continue
        input, output = (
            np.zeros(packed_bytes(prod(d), bits) if are_valid else 1, np.int8) for d in dims
        )
        params = Struct((*layer.stride[::-1], *layer.padding[::-1], *layer.activation))
        for name in ("avgpool", "max_pool"):
            refused += library.call(
                f"mn_{name}_s{bits}", params, Struct(layer.input_dims), input,
                Struct(layer.filter_dims), Struct(layer.output_dims), output,
            ) != 0  # fmt: skip
    return refused


def main(path: str, seed: str, count: str) -> None:
    """Fuzz the library at `path`."""
    library = NativeLibrary(Path(path))
    rng = np.random.default_rng(int(seed))
    null_pointers(library)
    unaligned_filters(library)
    refused, ran = fuzz_layers(library, rng, int(count))
    refused_pools = fuzz_pooling(library, rng, int(count) // 4)
    print(f"refused {refused} ran {ran} refused pools {refused_pools}")


if __name__ == "__main__":
    main(*sys.argv[1:])
