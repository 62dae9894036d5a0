# SPDX-License-Identifier: Apache-2.0
"""Calls of the kernels with numpy arrays, on any `kernels.binding.Library`.

Tensors are flat arrays as the kernels see them: int8 elements, or packed int4 (two elements a
byte, the even one in the low nibble). `activations` and `weights` are 8 or 4 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kernels.binding import Library, Struct
from predictor.model.device.options import packed_bytes

Dims = tuple[int, int, int, int]
"""n, h, w, c"""


class KernelError(RuntimeError):
    """A kernel refused its arguments."""


def suffix(activations: int, weights: int) -> str:
    """The kernels' suffix for a pair of bit widths."""
    return f"s{activations}" if activations == weights else f"s{activations}_w{weights}"


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution, depthwise convolution or fully connected layer.

    Args:
        filter: weights as the kernel wants them, packed where they are 4 bits.
        multiplier, shift: int32, one per output channel, or one where not `per_channel`.
        stride, padding, dilation: (h, w).
        activation: bounds, inclusive.
    """

    activations: int
    weights: int
    input_dims: Dims
    filter_dims: Dims
    output_dims: Dims
    filter: np.ndarray
    bias: np.ndarray | None
    multiplier: np.ndarray
    shift: np.ndarray
    input_offset: int
    output_offset: int
    activation: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    multiplier_of_channels: int = 1
    per_channel: bool = True

    @property
    def window(self) -> tuple[int, ...]:
        """Stride, padding and dilation as the C structs order them: w before h."""
        return (*self.stride[::-1], *self.padding[::-1], *self.dilation[::-1])

    @property
    def input_bytes(self) -> int:
        """Bytes of the input tensor."""
        return packed_bytes(int(np.prod(self.input_dims)), self.activations)

    @property
    def output_bytes(self) -> int:
        """Bytes of the output tensor."""
        return packed_bytes(int(np.prod(self.output_dims)), self.activations)

    def moved(self, **changes: object) -> Layer:
        """A copy with other fields."""
        return replace(self, **changes)  # type: ignore[arg-type]


_SYMBOLS = {
    "convolve": "convolve",
    "depthwise": "depthwise_conv",
    "fully_connected": "fully_connected",
}


def _params(operator: str, layer: Layer) -> Struct:
    offsets = (layer.input_offset, layer.output_offset)
    if operator == "fully_connected":
        return Struct((*offsets, *layer.activation))
    multiplier = (layer.multiplier_of_channels,) if operator == "depthwise" else ()
    return Struct((*offsets, *multiplier, *layer.window, *layer.activation))


def _quantization(operator: str, layer: Layer) -> Struct:
    arrays = (layer.multiplier, layer.shift)
    if operator == "fully_connected":
        return Struct((*arrays, int(layer.per_channel)))
    return Struct(arrays)


def buffer_bytes(library: Library, operator: str, layer: Layer) -> int:
    """Scratch bytes of the layer's kernel; raises KernelError when it refuses the layer."""
    symbol = f"mn_{_SYMBOLS[operator]}_{suffix(layer.activations, layer.weights)}_get_buffer_size"
    dims = [Struct(dims) for dims in (layer.input_dims, layer.filter_dims, layer.output_dims)]
    params = [] if operator == "fully_connected" else [_params(operator, layer)]
    size = library.call(symbol, *params, *dims)
    if size < 0:
        raise KernelError(f"{symbol} refuses the layer")
    return size


def run(
    library: Library,
    operator: str,
    layer: Layer,
    input: np.ndarray,
    output: np.ndarray | None = None,
) -> np.ndarray:
    """Run "convolve", "depthwise" or "fully_connected" and return the output, as stored.

    `output` may be given to share memory with `input`. Raises KernelError.
    """
    size = buffer_bytes(library, operator, layer)
    scratch = np.full(max(size // 4, 1), 0x5A5A5A5A, np.int32)
    if output is None:
        output = np.full(layer.output_bytes, 0x55, np.int8)
    symbol = f"mn_{_SYMBOLS[operator]}_{suffix(layer.activations, layer.weights)}"
    status = library.call(
        symbol,
        Struct((scratch, size)),
        _params(operator, layer),
        _quantization(operator, layer),
        Struct(layer.input_dims),
        input,
        Struct(layer.filter_dims),
        layer.filter,
        None,
        layer.bias,
        Struct(layer.output_dims),
        output,
    )
    if status != 0:
        raise KernelError(f"{symbol} refuses the layer")
    return output


def run_reference(library: Library, operator: str, layer: Layer, input: np.ndarray) -> np.ndarray:
    """The same by the plain loops of kernels/reference."""
    output = np.full(layer.output_bytes, 0x55, np.int8)
    library.call(
        f"mn_reference_{_SYMBOLS[operator]}",
        layer.activations,
        layer.weights,
        _params(operator, layer),
        _quantization(operator, layer),
        Struct(layer.input_dims),
        input,
        Struct(layer.filter_dims),
        layer.filter,
        layer.bias,
        Struct(layer.output_dims),
        output,
    )
    return output
