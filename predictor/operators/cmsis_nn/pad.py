"""PAD and PADV2 with CMSIS-NN. Mirrors kernels/cmsis_nn/pad.cc, which prepares as the reference
kernel."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops, cycle
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.movement import Shape, paddings_of
from predictor.operators.loops.movement import pad as reference_loops
from predictor.operators.reference.pad import padded_overlap


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    input = ctx.input(0)
    return padded_overlap(ctx, input is not None and input.type == TensorType.INT8)


def _loops(ctx: NodeContext) -> Loops | None:
    """Fills and row copies for int8, else element by element."""
    input, output, paddings = ctx.input(0), ctx.output(0), paddings_of(ctx)
    if input is None or output is None or input.type != TensorType.INT8 or not paddings:
        return reference_loops(ctx)
    if len(paddings) != 2 * len(ctx.shape(input)) or min(paddings) < 0:
        return None
    return loops_s8(ctx.shape(input), paddings)


def loops_s8(in_shape: Shape, paddings: list[int]) -> Loops:
    """``arm_pad_s8``, followed address by address; alignments repeat after four of anything."""
    rank = min(4, len(in_shape))
    dims = [1] * (4 - rank) + list(in_shape[-rank:])
    pairs = [(0, 0)] * (4 - rank) + list(zip(paddings[::2], paddings[1::2], strict=True))[-rank:]
    (n, h, w, c), (pad_n, pad_h, pad_w, pad_c) = dims, pairs
    out_c = c + sum(pad_c)
    row = (w + sum(pad_w)) * out_c
    batch = (h + sum(pad_h)) * row
    made = Loops()
    made.add("pad_s8", call=1, batch=n, row=n * h)
    fill(made, 1, batch * pad_n[0])
    for image, images in cycle(n):
        start = batch * (pad_n[0] + image)
        fill(made, images, row * pad_h[0], start % 4)
        fill(made, images, row * pad_h[1], (start + batch - row * pad_h[1]) % 4)
        for line, lines in cycle(h):
            runs, source = images * lines, (image * h + line) * w * c
            left = start + row * (pad_h[0] + line)
            first = left + out_c * pad_w[0]
            fill(made, runs, out_c * pad_w[0], left % 4)
            fill(made, runs, out_c * pad_w[1], (first + w * out_c) % 4)
            if out_c == c:
                copy(made, runs, w * c, source % 4, first % 4)
                continue
            made.add("pad_s8", pixel=runs * w)
            for pixel, pixels in cycle(w):
                at = first + pixel * out_c
                fill(made, runs * pixels, pad_c[0], at % 4)
                copy(made, runs * pixels, c, (source + pixel * c) % 4, (at + pad_c[0]) % 4)
                fill(made, runs * pixels, pad_c[1], (at + pad_c[0] + c) % 4)
    fill(made, 1, batch * pad_n[1], batch * (pad_n[0] + n) % 4)
    return made


register("PAD", "PADV2", overlap=_overlap, loops=_loops)
