"""A layer of a group that one custom operator computes in rows.

The layout is that of ``kernels/include/mn_stream.h``; ``docs/device_model.md`` describes it.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from math import prod

from predictor.model.device.names import PREFIX
from predictor.model.device.options import (
    PREPARED_BITS,
    AddOptions,
    ClampOptions,
    DeviceOptions,
    Dims,
    PadOptions,
    Pair,
    PoolOptions,
    WeightedOptions,
    packed_bytes,
)
from predictor.records import dataclass

MOST_STAGES, MOST_ROWS = 24, 65536
"""Stages, and rows of all stages together, at most (``MN_STREAM_STAGES``, ``MN_STREAM_ROWS``)."""
GROUP_INPUT, NO_SOURCE = -1, -2
STREAM = f"{PREFIX}STREAM"
"""How the codes of groups begin; types of activations and weights follow."""
KINDS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    f"DEPTHWISE_CONV_2D_W{PREPARED_BITS}",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "ADD",
    "CLAMP",
    "PAD",
    "GLOBAL_AVERAGE_POOL",
)
"""Kinds of stages, by their number in the table."""
TYPES: tuple[Pair, ...] = ((8, 8), (8, 4), (4, 4), (4, 8))
"""Bits of activations and weights for which there is an operator."""

LayerOptions = WeightedOptions | PoolOptions | AddOptions | ClampOptions | PadOptions
"""Options of layers that a group may have."""
WindowOptions = WeightedOptions | PoolOptions | PadOptions
"""Those that say which rows they read; ADD and CLAMP read the rows that they write."""
_SUM_BYTES = 4
"""Of an element that GLOBAL_AVERAGE_POOL sums."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer of a group.

    Attributes:
        options: of the whole layer.
        sources: the stages whose outputs it reads, ``GROUP_INPUT`` for the group's input.
        filter, bias: their positions among the operator's inputs, 0 for none.
        rows, row_bytes: of its output.
        step: rows of its output that are computed at once.
        start: those that its first run computes, where they are fewer: so many that the rows before
            it come when they are read.
        slots: rows that the line buffer of its output holds; of the last stage all.
        front: bytes that its output begins before the output that it reads, in the same line
            buffer; 0: it has a line buffer of its own.
        is_summed: an average pooling over the whole image, the last stage: it takes rows as they
            come, ``rows`` are those of its input, and its line buffer holds the sums of channels.
    """

    options: LayerOptions
    sources: tuple[int, ...]
    filter: int
    bias: int
    rows: int
    row_bytes: int
    step: int = 1
    slots: int = 1
    front: int = 0
    start: int = 1
    is_summed: bool = False

    @property
    def kind(self) -> int:
        options = self.options
        if isinstance(options, AddOptions):
            return KINDS.index("ADD")
        if isinstance(options, ClampOptions):
            return KINDS.index("CLAMP")
        if isinstance(options, PadOptions):
            return KINDS.index("PAD")
        if self.is_summed:
            return KINDS.index("GLOBAL_AVERAGE_POOL")
        if isinstance(options, WeightedOptions) and options.weight_bits == PREPARED_BITS:
            return KINDS.index(f"{options.operator}_W{PREPARED_BITS}")
        return KINDS.index(options.operator)

    @property
    def window(self) -> tuple[int, int, int]:
        """Rows from a window's first to its last, rows to the next one, rows above the input."""
        options = self.options
        if isinstance(options, PadOptions):
            return 1, 1, options.before[1]
        if isinstance(options, PoolOptions) and not self.is_summed:
            return options.window[0], options.stride[0], options.padding[0]
        if isinstance(options, WeightedOptions):
            reach = (options.filter_dims[1] - 1) * options.dilation[0] + 1
            return reach, options.stride[0], options.padding[0]
        return 1, 1, 0

    @property
    def output_bytes(self) -> int:
        """Of all rows of its output."""
        return self.options.tensor_bytes[-1]

    def part(self, input_rows: int, output_rows: int, padding: int) -> LayerOptions:
        """The layer for some of its rows."""
        options = self.options
        if isinstance(options, PadOptions):
            below = output_rows - padding - input_rows
            return replace(
                options,
                input_dims=_with_rows(options.input_dims, input_rows),
                before=_with_rows(options.before, padding),
                after=_with_rows(options.after, below),
            )
        if isinstance(options, WeightedOptions | PoolOptions):
            return replace(
                options,
                input_dims=_with_rows(options.input_dims, input_rows),
                output_dims=_with_rows(options.output_dims, output_rows),
                padding=(padding, options.padding[1]),
            )
        return replace(options, count=options.count // self.rows * output_rows)

    def pack(self) -> bytes:
        options = self.options.pack()
        sources = (*self.sources, NO_SOURCE)[:2]
        words = _HEAD_OF_STAGE.size // 4 + len(options) // 4
        return (
            _HEAD_OF_STAGE.pack(
                words,
                self.kind,
                *sources,
                self.filter,
                self.bias,
                self.step,
                self.slots,
                self.rows,
                self.row_bytes,
                *self.window,
                self.front,
                self.start,
            )
            + options
        )


_HEAD_OF_STAGE = struct.Struct("<15i")


def reads_rows(stage: Stage, input_rows: int) -> bool:
    """Whether every window of a stage reads a row of its input."""
    reach, stride, padding = stage.window
    return padding < reach and (stage.rows - 1) * stride - padding < input_rows


def is_global(options: DeviceOptions) -> bool:
    """Whether a layer is an average pooling of whole bytes over the whole image."""
    return (
        isinstance(options, PoolOptions)
        and options.operator == "AVERAGE_POOL_2D"
        and options.output_dims[1:3] == (1, 1)
        and options.window == options.input_dims[1:3]
        and options.padding == (0, 0)
    )


def summed(stage: Stage) -> Stage:
    """The stage of a global average pooling that takes its input row by row."""
    assert isinstance(stage.options, PoolOptions)
    dims = stage.options.input_dims
    one = replace(stage, step=1, start=1, slots=1, is_summed=True)
    return replace(one, rows=dims[1], row_bytes=_SUM_BYTES * dims[3])


def bits_of(options: LayerOptions) -> int:
    """Of a layer's activations."""
    return options.input_bits if isinstance(options, WeightedOptions) else options.bits


def _with_rows(dims: Dims, rows: int) -> Dims:
    return dims[0], rows, dims[2], dims[3]


def output_rows(options: DeviceOptions) -> tuple[int, int] | None:
    """Rows of a layer's output and bytes of each; None where rows are not whole bytes, or there is
    more than one image. For ADD and CLAMP the rows are those of their inputs."""
    if not isinstance(options, WindowOptions):
        return None
    bits = bits_of(options)
    for dims in (options.input_dims, options.output_dims):
        if dims[0] != 1 or prod(dims[2:]) * bits % 8:
            return None
    if isinstance(options, PadOptions) and options.input_dims[3] != options.output_dims[3]:
        return None
    dims = options.output_dims
    return dims[1], packed_bytes(prod(dims[2:]), bits)
