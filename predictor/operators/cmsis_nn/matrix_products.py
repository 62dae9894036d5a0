"""Matrix products of CMSIS-NN on cores with the DSP extension."""

from __future__ import annotations

from predictor.operators.loops import Loops, misaligned


def product_s8(
    loops: Loops, calls: int, lhs_rows: int, rhs_rows: int, cols: int, lhs_step: int
) -> None:
    """``arm_nn_mat_mult_nt_t_s8``: 2 x 2 results at a time, 16, 4 and 1 columns a step.

    ``lhs_step``: bytes from one row of the left side to the next. Both sides start aligned.
    """
    pairs, odd = divmod(rhs_rows, 2)
    blocks, single = divmod(lhs_rows, 2)
    steps_16, rest = divmod(cols, 16)
    steps_4, steps_1 = divmod(rest, 4)
    for prefix, runs in (("product_s8", pairs * blocks), ("product_s8.row", pairs * single)):
        runs *= calls
        loops.add(
            prefix,
            block=runs,
            step16=runs * steps_16,
            step4=runs * steps_4,
            step1=runs * steps_1,
            some16=runs if steps_16 else 0,
            some4=runs if steps_4 else 0,
            some1=runs if steps_1 else 0,
        )
    loops.add(
        "product_s8",
        call=calls,
        pair=calls * pairs,
        sum=calls * pairs * cols,
        odd=calls * odd,
        last=calls * odd * lhs_rows,
        last_mac=calls * odd * lhs_rows * cols,
    )
    words = cols // 4
    rhs = misaligned(2 * pairs, cols) * (blocks + single)
    lhs = misaligned(2 * blocks, lhs_step) * pairs
    if single:
        lhs += pairs * (1 if 2 * blocks * lhs_step % 4 else 0)
    loops.unaligned_loads += calls * words * (rhs + lhs)


def _rows(loops: Loops, name: str, runs: int, quads: int, rest: int) -> None:
    """Rows of weights against a vector: ``quads`` steps of four, then ``rest`` single ones."""
    loops.add(
        name,
        row=runs,
        quad=runs * quads,
        tap=runs * rest,
        some=runs if quads else 0,
        rest=runs if rest else 0,
    )


def columns_s16(loops: Loops, times: int, columns: int, rows: int, taps: int, prefix: str) -> None:
    """``arm_nn_mat_mult_kernel_s8_s16`` on pairs of columns, and the loop for a last column.

    ``times``: how often there are so many columns.
    """
    calls, left = (times * count for count in divmod(columns, 2))
    quads, rest = divmod(taps, 4)
    pairs, odd = divmod(rows, 2)
    for name, runs in (("", calls * pairs), (".odd", calls * odd), (".left", left * rows)):
        _rows(loops, f"{prefix}{name}", runs, quads, rest)
    loops.add(prefix, call=calls, left=left)
    loops.unaligned_loads += misaligned(rows, taps) * quads * (calls + left)


def vector_s8(loops: Loops, batches: int, rows: int, cols: int, prefix: str) -> None:
    """``arm_nn_vec_mat_mult_t_s8``: two rows at a time, 4 and 1 columns a step."""
    pairs, odd = divmod(rows, 2)
    quads, rest = divmod(cols, 4)
    for name, runs in (("", batches * pairs), (".odd", batches * odd)):
        _rows(loops, f"{prefix}{name}", runs, quads, rest)
    loops.add(prefix, batch=batches)
    rhs = misaligned(rows, cols) * batches
    lhs = misaligned(batches, cols) * (pairs + odd)
    loops.unaligned_loads += quads * (rhs + lhs)
