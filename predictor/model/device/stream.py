"""A group of layers that one custom operator, ``MN_STREAM``, computes in rows.

Of the tensors inside the group only a few rows are kept, in line buffers. The table in the
operator's ``custom_options`` has a head and a stage for each layer, in the layout of
``kernels/include/mn_stream.h``; ``docs/device_model.md`` describes it.
"""

from __future__ import annotations

import struct
from functools import cached_property

from predictor.model.device.options import VERSION, Pair, WeightedOptions, suffix
from predictor.model.device.stream_runs import Run, runs_of
from predictor.model.device.stream_stage import STREAM, Stage
from predictor.records import dataclass

_HEAD = struct.Struct("<4i")


@dataclass(frozen=True)
class StreamOptions:
    """Options of ``MN_STREAM``: its stages, rows and bytes of a row of its input."""

    types: Pair
    rows: int
    row_bytes: int
    stages: tuple[Stage, ...]

    @property
    def code(self) -> str:
        return f"{STREAM}_{suffix(*self.types)}"

    @property
    def work(self) -> tuple[int, int]:
        found = [stage.options.work for stage in self.stages]
        return sum(macs for macs, _ in found), sum(others for _, others in found)

    @property
    def tensor_bytes(self) -> tuple[int, ...]:
        """Bytes of all its inputs, filters and biases among them, then of its output."""
        constants: dict[int, int] = {}
        for stage in self.stages:
            if isinstance(stage.options, WeightedOptions):
                constants[stage.filter] = stage.options.tensor_bytes[1]
                if stage.bias:
                    constants[stage.bias] = 4 * stage.options.output_dims[3]
        last = self.stages[-1]
        found = [constants.get(position, 0) for position in range(1, len(constants) + 1)]
        return (self.rows * self.row_bytes, *found, last.output_bytes)

    @property
    def lines(self) -> tuple[tuple[int, int], ...]:
        """Line buffers in their order: the stage whose output each holds, and its bytes."""
        fronts = [0] * len(self.stages)
        roots = list(range(len(self.stages)))
        for index, stage in enumerate(self.stages):
            if stage.front:
                roots[index] = roots[stage.sources[0]]
                fronts[roots[index]] += stage.front
        return tuple(
            (index, -(-(stage.slots * stage.row_bytes + fronts[index]) // 4) * 4)
            for index, stage in enumerate(self.stages)
            if not stage.front and (stage is not self.stages[-1] or stage.is_summed)
        )

    @property
    def line_bytes(self) -> int:
        """Bytes of all line buffers."""
        return sum(size for _, size in self.lines)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """What runs, in order."""
        return tuple(runs_of(self.stages, self.rows))

    def pack(self) -> bytes:
        head = _HEAD.pack(VERSION, len(self.stages), self.rows, self.row_bytes)
        return head + b"".join(stage.pack() for stage in self.stages)
