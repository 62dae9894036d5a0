"""Loops of depthwise convolution: up to four channels at a time, eight taps in a pass."""

from __future__ import annotations

from predictor.model.device.options import PREPARED_BITS, WeightedOptions
from predictor.operators.context import GraphState
from predictor.operators.loops import Loops
from predictor.operators.mn import shared_loops
from predictor.operators.mn.contents import Contents
from predictor.operators.mn.scratch import is_few
from predictor.operators.mn.window_loops import axes_of, reach, whole

_LANES = 4
_UNROLLED = 8
"""Taps that the loop takes in one pass."""


def depthwise(made: Loops, options: WeightedOptions, state: GraphState, contents: Contents) -> bool:
    """``mn_depthwise_run``."""
    found = axes_of(options, state, options.filter_dims[1:3], options.dilation)
    if found is None:
        return False
    rows, columns = found
    batches, _, _, channels = options.input_dims
    _, window_h, window_w, outs = options.filter_dims
    taps, quads = window_h * window_w, -(-outs // _LANES)
    name = "mn_depthwise"
    if options.weight_bits != PREPARED_BITS and not is_few(options):
        made.add(f"mn_prepare_quad_w{options.weight_bits}", call=quads, tap=quads * taps)
        made.add(name, quad=quads)
    lines, pixels = batches * rows.out, batches * rows.out * columns.out
    inner_rows, inner_columns = whole(rows), whole(columns)
    inner_lines = batches * inner_rows if inner_columns else 0
    edges = pixels - batches * inner_rows * inner_columns
    calls = inner_lines + edges
    made.add(name, channel=outs, line=lines, pixel=pixels, edge=edges)
    made.add(name, set=calls, set_row=calls * window_h, set_tap=calls * taps)
    _position(made, options, contents, pixels)
    if options.input_bits == 4:
        read = batches * min(rows.size, (rows.out - 1) * rows.stride - rows.pad + reach(rows))
        shared_loops.unpack(made, columns.size * channels, max(0, read))
        shared_loops.finish(made, 4, options.activation, -(-pixels // 2), 2 * outs)
    else:
        shared_loops.finish(made, 8, options.activation, lines, columns.out * outs)
    return True


def _position(made: Loops, options: WeightedOptions, contents: Contents, pixels: int) -> None:
    """All channels of so many positions."""
    _, window_h, window_w, outs = options.filter_dims
    taps, quads = window_h * window_w, pixels * -(-outs // _LANES)
    if is_few(options):
        made.add("mn_run_few", call=pixels, quad=quads, tap=quads * taps)
        return
    if options.channel_multiplier != 1 or outs < _LANES:
        _lanes(made, options, pixels)
        return
    made.add("mn_run_quads", call=pixels, quad=quads, unit=quads * (taps // _UNROLLED))
    made.add("mn_run_quads", single=quads * (taps % _UNROLLED))
    made.add("mn_run_quads", back=pixels if outs % _LANES else 0)
    if not contents.is_plain:
        _rare_lanes(made, options, pixels)


def _lanes(made: Loops, options: WeightedOptions, pixels: int) -> None:
    """``mn_run_lanes``: quads whose lanes read one input channel, or others."""
    _, window_h, window_w, outs = options.filter_dims
    taps, multiplier = window_h * window_w, options.channel_multiplier
    name = "mn_run_lanes"
    made.add(name, call=pixels, lane=pixels * outs)
    for first in range(0, outs, _LANES):
        count = min(_LANES, outs - first)
        is_one = count == _LANES and first // multiplier == (first + _LANES - 1) // multiplier
        kind = "one" if is_one else str(count)
        made.add(name, **{f"quad_{kind}": pixels, f"tap_{kind}": pixels * taps})


def _rare_lanes(made: Loops, options: WeightedOptions, pixels: int) -> None:
    """Quads whose lanes are looked at one by one, in columns of code between which it turns."""
    outs, shifts = options.output_dims[3], options.tables.shifts
    turns = ones = 0
    for first in (min(quad, outs - _LANES) for quad in range(0, outs, _LANES)):
        was_left = False
        for shift in shifts[first : first + _LANES]:
            turns += was_left != (shift >= 0)
            ones += shift == -1
            was_left = shift >= 0
    made.add("mn_run_quads", rare=pixels * -(-outs // _LANES), turn=pixels * turns)
    made.add("mn_run_quads", right_1=pixels * ones)
