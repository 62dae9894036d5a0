"""Scratch bytes of the kernels: what their ``_get_buffer_size`` functions return.

Mirrors kernels/src/mn_convolution.c, mn_depthwise.c and mn_fully_connected.c; the tests hold the
two together.
"""

from __future__ import annotations

from math import prod

from predictor.model.device.options import PREPARED_BITS, DeviceOptions, WeightedOptions
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_stage import Stage
from predictor.operators.sizes import align_up

_BLOCK = 4
"""Output positions that a convolution computes together."""
_LANES = 4
_WORD_BYTES = 4
_FEW_POSITIONS = 2
"""Output positions of a depthwise layer for which int8 weights are not widened."""
_FEW_ROWS = 4
"""Rows of a fully connected layer that are too few to widen its inputs into a column."""
_MOST_COLUMN = 1024
"""Inputs of a fully connected layer that are always widened into a column."""


def scratch_bytes(options: DeviceOptions) -> int:
    """Bytes of the scratch buffer that the operator requests; 0 where it requests none."""
    if isinstance(options, StreamOptions):
        return options.line_bytes + max(map(_of_step, options.stages))
    if not isinstance(options, WeightedOptions):
        return 0
    return _OF[options.operator](options)


def _of_step(stage: Stage) -> int:
    """Of a stage of a group: its layer's for the rows that it computes at once."""
    options = stage.options
    if not isinstance(options, WeightedOptions):
        return 0
    reach, stride, padding = stage.window
    rows = min((stage.step - 1) * stride + reach, options.input_dims[1])
    return scratch_bytes(stage.part(rows, min(stage.step, stage.rows), padding))


def group_of(weight_bits: int) -> int:
    """Weights that one word holds."""
    return 4 if weight_bits == 8 else 8


def _column_bytes(depth: int, group: int) -> int:
    """A column of int16 inputs; its end takes half a group of int4 weights where that suffices."""
    unit = group if depth < group or depth % group > 4 else 4
    return align_up(depth, unit) * 2


def _padded_weights(depth: int, group: int, rows: int) -> int:
    return rows * _WORD_BYTES if depth < group else 0


def needs_patch(options: WeightedOptions, is_pixel: bool) -> bool:
    """Whether inputs are gathered as bytes before they become a column (not ``mn_is_direct``).

    ``is_pixel``: as :func:`is_pointwise` says; the columns of FULLY_CONNECTED are such.
    """
    if (options.input_bits, options.weight_bits) == (4, 8):
        return True
    return not is_pixel and options.filter_dims[3] % group_of(options.weight_bits) != 0


def is_pointwise(options: WeightedOptions) -> bool:
    """Whether a column is one pixel (``mn_is_pointwise``)."""
    sizes = zip(options.output_dims[1:3], options.stride, options.input_dims[1:3], strict=True)
    return (
        options.filter_dims[1:3] == (1, 1)
        and options.filter_dims[3] == options.input_dims[3]
        and options.padding == (0, 0)
        and all((output - 1) * stride < size for output, stride, size in sizes)
    )


def _convolution(options: WeightedOptions) -> int:
    _, height, width, inputs = options.filter_dims
    depth, channels = height * width * inputs, options.output_dims[3]
    group = group_of(options.weight_bits)
    step = _BLOCK if prod(options.output_dims[:3]) >= _BLOCK else 1
    total = step * _column_bytes(depth, group)
    if needs_patch(options, is_pointwise(options)):
        total += align_up(depth, _WORD_BYTES)
    total += _padded_weights(depth, group, channels)
    return total + (align_up(channels * step, _WORD_BYTES) if options.input_bits == 4 else 0)


def _fully_connected(options: WeightedOptions) -> int:
    depth, rows = options.input_dims[3], options.output_dims[3]
    if is_direct(options):
        return rows * _WORD_BYTES if rows > _FEW_ROWS else 0
    group = group_of(options.weight_bits)
    total = _column_bytes(depth, group) + _padded_weights(depth, group, rows)
    if needs_patch(options, is_pixel=True):
        total += align_up(depth, _WORD_BYTES)
    return total + (align_up(rows, _WORD_BYTES) if options.input_bits == 4 else 0)


def is_direct(options: WeightedOptions) -> bool:
    """Whether FULLY_CONNECTED reads its inputs where they lie, as they would make a large column or
    one for few rows (``mn_dot``); the sums of all rows are kept instead."""
    depth, rows = prod(options.input_dims[1:]), options.output_dims[3]
    is_int8 = (options.input_bits, options.weight_bits) == (8, 8)
    return is_int8 and (rows <= _FEW_ROWS or (depth > _MOST_COLUMN and depth > 2 * rows))


def is_few(options: WeightedOptions) -> bool:
    """Whether DEPTHWISE_CONV_2D takes its weights as they are, for so few positions."""
    positions, channels = prod(options.output_dims[:3]), options.output_dims[3]
    is_fast = options.channel_multiplier == 1 and channels >= _LANES
    return options.weight_bits == 8 and is_fast and positions <= _FEW_POSITIONS


def _depthwise(options: WeightedOptions) -> int:
    _, height, width, channels = options.filter_dims
    _, in_height, in_width, inputs = options.input_dims
    taps, quads = height * width, -(-channels // _LANES)
    total = 2 * taps * _WORD_BYTES + align_up(inputs, _WORD_BYTES)
    if options.weight_bits != PREPARED_BITS and not is_few(options):
        total += quads * (taps * 8 + 16)
    if options.input_bits == 4:
        reach = (height - 1) * options.dilation[0] + 1
        total += align_up(in_width * inputs * min(reach, in_height), _WORD_BYTES)
        total += 2 * align_up(channels, _WORD_BYTES)
    return total


_OF = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
}
