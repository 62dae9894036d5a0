"""Loops that kernels with weights share: gathering, columns, products, ends of outputs."""

from __future__ import annotations

from collections.abc import Mapping

from predictor.model.device.options import Pair, WeightedOptions
from predictor.model.requantization import Range
from predictor.operators.loops import Loops
from predictor.operators.mn.contents import Contents, left_of, right_1_of
from predictor.operators.mn.scratch import group_of

_ROWS_WITHOUT_BIAS = 32
"""Rows that one call takes where there is no bias."""
_INT8 = (-128, 127)

Lines = Mapping[int, int]
"""How many rows of so many inputs each there are."""


def gather(made: Loops, input_bits: int, pieces: int, lines: Lines) -> None:
    """``mn_gather_*``: inputs as bytes."""
    made.add(f"mn_gather_s{input_bits}", call=pieces)
    for count, runs in lines.items():
        if input_bits == 4:
            unpack(made, count, runs)
        else:
            made.add("mn_gather_s8", line=runs, word=runs * (count // 4), byte=runs * (count % 4))


def unpack(made: Loops, count: int, runs: int) -> None:
    """``mn_unpack_s4``."""
    made.add("mn_unpack_s4", call=runs, group=runs * (count // 8), pair=runs * (count % 8) // 2)


def columns(
    made: Loops, bits: Pair, step: str, pieces: int, lines: Lines, odd: bool = False
) -> None:
    """``mn_column_*``: pieces of columns; ``odd``: half of them start within a byte.

    ``bits``: of inputs and weights.
    """
    name, group = f"mn_column_{step}_s{bits[0]}_w{bits[1]}", group_of(bits[1])
    made.add(name, call=pieces)
    for count, runs in lines.items():
        rest = count % group
        made.add(name, line=runs)
        if count < group:
            made.add(name, few=runs, element=runs * count)
            continue
        if bits[0] == 4:
            made.add(name, group=runs * (count // group))
            if odd:
                made.add(name, odd=runs * (count // group) // 2)
        else:
            made.add(name, block=runs * (count // 16), group=runs * (count % 16 // group))
        if rest:
            made.add(name, **{"half" if rest <= 4 < group else "rest": runs})


def padded_rows(made: Loops, options: WeightedOptions, depth: int) -> None:
    """``mn_pad_rows``: rows shorter than a word of weights."""
    outs = options.filter_dims[0]
    if depth < group_of(options.weight_bits):
        made.add(f"mn_pad_rows_w{options.weight_bits}", call=1, row=outs, element=outs * depth)


def products(
    made: Loops, options: WeightedOptions, contents: Contents, kind: str, calls: Pair, depth: int
) -> None:
    """``mn_matmul_x4_*`` and ``mn_matmul_x1_*``: rows of weights times columns, ``calls`` times for
    each of so many groups."""
    times, groups = calls
    if not times:
        return
    bits, rows = options.weight_bits, options.output_dims[3] // groups
    name, group = f"mn_matmul_{kind}_w{bits}", group_of(bits)
    depth = max(depth, group)
    # The x1 loops take two rows at a time, the last of an odd number twice.
    pairs, twin = (rows, 0) if kind == "x4" else divmod(rows, 2)
    passes = times * groups * (pairs + twin)
    parts = 1 if contents.has_bias else -(-rows // _ROWS_WITHOUT_BIAS)
    made.add(name, call=times * groups * parts, row=passes, twin=times * groups * twin)
    _requantization(made, options, name, times, (groups, pairs, twin))
    if bits == 8:
        unit = 4 if kind == "x4" else 8
        made.add(name, unit=passes * (depth // unit), single=passes * (depth % unit // 4))
        made.add(name, overlap=passes if depth % 4 else 0)
        made.add(name, loop=passes * -(-(depth // unit) // 4))
        return
    words, rest = divmod(depth, 8)
    made.add(name, unit=passes * words, loop=passes * -(-words // (2 if kind == "x4" else 4)))
    if rest:
        made.add(name, **{"half" if rest <= 4 else "full": passes})
    if depth % 2:
        # Every other row starts within a byte, and so do the ends of the others.
        made.add(name, odd=passes * words // (2 if kind == "x4" else 1))


def _requantization(
    made: Loops, options: WeightedOptions, name: str, times: int, rows: tuple[int, int, int]
) -> None:
    """Ends of rows that differ from the most frequent: shared multipliers, and all but right shifts
    of two and more."""
    groups, pairs, twin = rows
    shifts = options.tables.shifts
    if options.operator == "FULLY_CONNECTED" and len(shifts) == 1:
        is_rare = left_of(shifts) + right_1_of(shifts) > 0
        made.add(name, **{"shared_rare" if is_rare else "shared": times * pairs})
        shifts *= 2 * twin
    elif twin:
        shifts += shifts[len(shifts) // groups - 1 :: len(shifts) // groups]
    made.add(name, left=times * left_of(shifts), right_1=times * right_1_of(shifts))


def finish(made: Loops, bits: int, activation: Range, calls: int, count: int) -> None:
    """``mn_finish_*``: the activation, and packing."""
    made.add(f"mn_finish_s{bits}", call=calls)
    if bits == 4:
        made.add("mn_finish_s4", group=calls * (count // 8), pair=calls * -(-(count % 8) // 2))
    elif tuple(activation) != _INT8:
        made.add("mn_finish_s8", word=calls * (count // 4), byte=calls * (count % 4))
