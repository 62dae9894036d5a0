"""Loops of convolution and fully connected: columns of 16-bit inputs times rows of weights."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import NamedTuple

from predictor.model.device.options import WeightedOptions, packed_bytes
from predictor.operators.context import GraphState
from predictor.operators.loops import Loops
from predictor.operators.loops.windows import Axis
from predictor.operators.mn import shared_loops
from predictor.operators.mn.contents import Contents
from predictor.operators.mn.scratch import is_direct, is_pointwise, needs_patch
from predictor.operators.mn.window_loops import axes_of

BLOCK = 4
"""Columns that one pass over the weights serves."""


class Gathered(NamedTuple):
    """What is gathered for all positions of a layer, or for some of them.

    ``borders``: positions whose window leaves the image; ``pieces``: parts of windows that are
    gathered at once; ``lines``: their rows, by the inputs of one.
    """

    positions: int
    borders: int
    pieces: int
    lines: Counter[int]

    def part(self, positions: int) -> Gathered:
        """So many positions, as if all were alike."""
        share = positions / self.positions
        lines = Counter({count: round(runs * share) for count, runs in self.lines.items()})
        return Gathered(positions, round(self.borders * share), round(self.pieces * share), lines)


def convolution(
    made: Loops, options: WeightedOptions, state: GraphState, contents: Contents
) -> bool:
    """``mn_convolution_run``: four positions at a time, single ones where fewer are left."""
    found = axes_of(options, state, options.filter_dims[1:3], options.dilation)
    if found is None:
        return False
    outs, window_h, window_w, depth = options.filter_dims
    groups, taps = options.input_dims[3] // depth, window_h * window_w * depth
    all_of_it = gathered(*found, options)
    blocks, left = divmod(all_of_it.positions, BLOCK)
    made.add("mn_convolution", channel=outs, block=blocks + left)
    if groups > 1:
        made.add("mn_convolution", group=(blocks + left) * groups)
    shared_loops.padded_rows(made, options, taps)
    for kind, passes, step in (("x4", blocks, BLOCK), ("x1", left, 1)):
        if not passes:
            continue
        part = all_of_it.part(passes * step)
        _gather(made, options, kind, part, groups, taps)
        shared_loops.products(made, options, contents, kind, (passes, groups), taps)
        if options.input_bits == 4:
            shared_loops.finish(made, 4, options.activation, passes, outs * step)
    if options.input_bits == 8:
        outputs = all_of_it.positions * outs
        shared_loops.finish(made, 8, options.activation, 1, outputs)
    return True


def gathered(rows: Axis, columns: Axis, options: WeightedOptions) -> Gathered:
    """All windows of a convolution, for one group of channels."""
    batches, depth, channels = options.input_dims[0], options.filter_dims[3], options.input_dims[3]
    row_taps, column_taps = rows.taps_inside(), columns.taps_inside()
    inside = row_taps[rows.window] * column_taps[columns.window]
    positions = rows.out * columns.out
    some_rows, some_columns = (
        sum(outs for taps, outs in found.items() if taps) for found in (row_taps, column_taps)
    )
    lines_of_rows = sum(taps * outs for taps, outs in row_taps.items())
    lines: Counter[int] = Counter()
    if columns.dilation == 1 and depth == channels:
        pieces = some_rows * some_columns
        for taps, outs in column_taps.items():
            if taps:
                lines[taps * depth] += batches * lines_of_rows * outs
    else:
        pieces = lines_of_rows * some_columns
        taps_of_columns = sum(taps * outs for taps, outs in column_taps.items())
        lines[depth] += batches * lines_of_rows * taps_of_columns
    return Gathered(batches * positions, batches * (positions - inside), batches * pieces, lines)


def _gather(
    made: Loops, options: WeightedOptions, kind: str, part: Gathered, groups: int, taps: int
) -> None:
    """``mn_gather_block``: the columns of positions, groups of channels one after the other."""
    positions, borders, pieces = (
        groups * count for count in (part.positions, part.borders, part.pieces)
    )
    lines = {count: groups * runs for count, runs in part.lines.items()}
    is_pixel = is_pointwise(options)
    is_patch = needs_patch(options, is_pixel)
    is_adjacent = is_pixel and options.input_dims[1:3] == options.output_dims[1:3]
    name = "adjacent" if is_adjacent and not is_patch else "position"
    made.add("mn_convolution", **{name: positions})
    made.add("mn_convolution", border=borders, piece=pieces)
    bits = options.input_bits, options.weight_bits
    if is_patch:
        made.add("mn_fill_s8", call=borders, word=borders * (taps // 4), byte=borders * (taps % 4))
        shared_loops.gather(made, options.input_bits, pieces, lines)
        shared_loops.columns(made, (8, bits[1]), kind, positions, {taps: positions})
        return
    made.add("mn_column_zero", call=borders, word=borders * (taps // 2))
    odd = options.input_dims[3] % 2 == 1 and part.positions > 1
    shared_loops.columns(made, bits, kind, pieces, lines, odd)


def fully_connected(
    made: Loops, options: WeightedOptions, _: GraphState, contents: Contents
) -> bool:
    """``mn_dense_run``: a column for each batch, one position at a time, or none."""
    batches, outs = options.output_dims[0], options.output_dims[3]
    depth = prod(options.input_dims[1:])
    made.add("mn_dense", batch=batches)
    made.streamed_bytes = batches * packed_bytes(outs * depth, options.weight_bits)
    if is_direct(options):
        _dot(made, batches, outs, depth)
    else:
        _column_of_batch(made, options, batches, depth)
        shared_loops.products(made, options, contents, "x1", (batches, 1), depth)
    shared_loops.finish(made, options.input_bits, options.activation, batches, outs)
    return True


def _column_of_batch(made: Loops, options: WeightedOptions, batches: int, depth: int) -> None:
    shared_loops.padded_rows(made, options, depth)
    lines, bits = {depth: batches}, options.input_bits
    if needs_patch(options, is_pixel=True):
        shared_loops.gather(made, bits, batches, lines)
        bits = 8
    odd = depth % 2 == 1 and batches > 1
    shared_loops.columns(made, (bits, options.weight_bits), "x1", batches, lines, odd)


def _dot(made: Loops, batches: int, outs: int, depth: int) -> None:
    """``mn_dot_s8_w8``: four rows at a time, then two, then one."""
    words, rest = divmod(depth, 4)
    fours, left = divmod(outs, 4)
    name = "mn_dot_s8_w8"
    made.add(name, call=batches, output=batches * outs)
    for rows, passes in ((4, fours), (2, left // 2), (1, left % 2)):
        runs = batches * passes
        made.add(name, **{f"pass_{rows}": runs, f"word_{rows}": runs * words})
        made.add(name, **{f"loop_{rows}": runs * (words // 4)})
    if rest:
        made.add(name, rest_row=batches * outs, rest=batches * outs * rest)
