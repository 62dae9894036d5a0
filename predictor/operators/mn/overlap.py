"""How far an output may overlap an input with these kernels, in bytes.

The steps of each kernel are those that its documentation in kernels/include/mn_nnfunctions.h
names; tests hold the distances against traced reads and writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.device.options import (
    AddOptions,
    ClampOptions,
    DeviceOptions,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    WeightedOptions,
)
from predictor.operators import convolution_order, depthwise_order, pooling_order
from predictor.operators.access_order import InputOverlap, Windows, ends
from predictor.operators.overlap_rules import ELEMENTWISE

_BLOCKS = "blocks of four positions are finished one after the other"
_QUADS = "positions are finished one after the other, up to four channels at a time"
_ROWS = "rows of outputs are finished one after the other"
_BATCHES = "batches are read before their outputs are written"


def input_overlaps(options: DeviceOptions) -> Sequence[InputOverlap]:
    """The inputs that an operator's output may overlap."""
    if isinstance(options, WeightedOptions) and options.operator == "FULLY_CONNECTED":
        batches, _, _, depth = options.input_dims
        found = fully_connected(batches, depth, options.output_dims[3], options.input_bits)
        return (InputOverlap(0, found, _BATCHES),)
    if isinstance(options, WeightedOptions | PoolOptions):
        windows = _windows(options)
        return (_of_windows(options, windows),) if windows.is_bounded else ()
    if isinstance(options, AddOptions):
        return tuple(InputOverlap(position, 0, ELEMENTWISE) for position in (0, 1))
    return (InputOverlap(0, 0, ELEMENTWISE),) if _works_in_place(options) else ()


def _works_in_place(options: DeviceOptions) -> bool:
    """Whether elements are read before their results are written over them."""
    if isinstance(options, SoftmaxOptions):
        return options.bits == 8
    if isinstance(options, RequantizeOptions):
        return options.output_bits <= options.input_bits
    return isinstance(options, ClampOptions)


def _of_windows(options: WeightedOptions | PoolOptions, windows: Windows) -> InputOverlap:
    if isinstance(options, PoolOptions):
        return InputOverlap(0, pooling_order.mn(windows, options.bits), _QUADS)
    bits = options.input_bits
    if options.operator == "CONV_2D":
        groups = options.input_dims[3] // options.filter_dims[3]
        return InputOverlap(0, convolution_order.mn(windows, groups, bits), _BLOCKS)
    found = depthwise_order.mn(windows, options.channel_multiplier, bits)
    return InputOverlap(0, found, _QUADS if bits == 8 else _ROWS)


def fully_connected(batches: int, depth: int, rows: int, bits: int) -> int:
    """A step is a batch, whose inputs are all read before its outputs are written."""
    return max(
        ((batch * rows * bits + 7) // 8 - batch * depth * bits // 8 for batch in ends(batches, 2)),
        default=0,
    )


def _windows(options: WeightedOptions | PoolOptions) -> Windows:
    images, height, width, in_channels = options.input_dims
    _, out_height, out_width, out_channels = options.output_dims
    if isinstance(options, PoolOptions):
        filter_size, dilation = options.window, (1, 1)
    else:
        filter_size, dilation = options.filter_dims[1:3], options.dilation
    return Windows(
        images,
        (height, width),
        in_channels,
        (out_height, out_width),
        out_channels,
        filter_size,
        options.stride,
        dilation,
        options.padding,
    )
