"""A group of layers in rows: how far its output may overlap its input, and its loops.

Follows kernels/src/mn_stream.c and mn_stream_types.c: what runs is what
:mod:`predictor.model.device.stream` says; each run is a call of its layer's kernel.
"""

from __future__ import annotations

from collections import Counter
from math import inf

from predictor.model.device.options import AddOptions, ClampOptions, PoolOptions, WeightedOptions
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_runs import Run
from predictor.model.device.stream_stage import GROUP_INPUT, Stage
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.mn.contents import ORDINARY, Contents, contents_of
from predictor.operators.mn.loops import kernel_loops

_LANES = 4
"""Channels that are summed together."""


def stream_distance(options: StreamOptions) -> int:
    """The smallest safe distance of output and input.

    A step is a run. What a run has written must end before the first byte that a later one reads.
    A run that reads the group's input and writes the group's output reads element by element what
    it writes, or else counts as if it wrote first.
    """
    last = len(options.stages) - 1
    out_bytes = options.stages[last].row_bytes
    if options.stages[last].is_summed:
        return _summed_distance(options)
    needed: float = inf  # the first byte that a later run reads
    found: float = 0
    for run in reversed(options.runs):
        stage = options.stages[run.stage]
        reads = GROUP_INPUT in stage.sources and run.begin < run.end
        begin = run.begin * options.row_bytes
        if run.stage == last:
            end = (run.first + run.count) * out_bytes
            found = max(found, end - needed)
            if reads and isinstance(stage.options, AddOptions | ClampOptions):
                found = max(found, run.first * out_bytes - begin)
            elif reads:
                found = max(found, end - begin)
        if reads:
            needed = min(needed, begin)
    return int(found)


def _summed_distance(options: StreamOptions) -> int:
    """Where the output is written when all has been summed: by the last run, which may read the
    group's input before."""
    run = options.runs[-1]
    reads = GROUP_INPUT in options.stages[-1].sources
    written = options.tensor_bytes[-1]
    return max(0, written - run.begin * options.row_bytes) if reads else 0


def stream_loops(options: StreamOptions, ctx: NodeContext) -> Loops | None:
    """Loops of all runs, and of the scheduler between them."""
    made = Loops()
    made.terms[f"{options.code.lower()}.custom_call"] = 1
    made.add("mn_stream", run=len(options.runs), stage=len(options.stages))
    for moved, times in Counter(size for run in options.runs for size in run.moved_bytes).items():
        _move(made, moved, times)
    kinds: Counter[tuple[int, int, int, int]] = Counter(map(_kind, options.runs))
    for (index, rows, count, padding), times in kinds.items():
        stage = options.stages[index]
        if stage.is_summed:
            _sums(made, stage, times)
            continue
        part = stage.part(rows, count, padding)
        loops = kernel_loops(part, "stream", ctx.state, _contents(ctx, stage))
        if loops is None:
            return None
        for term, runs in loops.terms.items():
            made.terms[term] = made.terms.get(term, 0) + times * runs
    return made


def _kind(run: Run) -> tuple[int, int, int, int]:
    """Runs with the same are alike."""
    return run.stage, run.end - run.begin, run.count, run.padding


def _contents(ctx: NodeContext, stage: Stage) -> Contents:
    if not isinstance(stage.options, WeightedOptions):
        return ORDINARY
    return contents_of(ctx.subgraph, ctx.op, stage.options, (stage.filter, stage.bias))


def _sums(made: Loops, stage: Stage, rows: int) -> None:
    """``mn_sum_pixels_*`` of each row, and ``mn_average_sums_*``."""
    assert isinstance(stage.options, PoolOptions)
    _, _, width, channels = stage.options.input_dims
    name, bits = f"mn_global_avgpool_s{stage.options.bits}", stage.options.bits
    made.terms[f"{name}.stream_call"] = rows
    quads, singles = divmod(channels, _LANES) if bits == 8 else (0, channels)
    made.add(name, quad=rows * quads, quad_tap=rows * quads * width)
    made.add(name, single=rows * singles, single_tap=rows * singles * width, average=channels)


def _move(made: Loops, size_bytes: int, times: int) -> None:
    """``mn_move_down``."""
    blocks, rest = divmod(size_bytes, 16)
    made.add("mn_move_down", call=times, block=times * blocks)
    made.add("mn_move_down", word=times * (rest // 4), byte=times * (rest % 4))
