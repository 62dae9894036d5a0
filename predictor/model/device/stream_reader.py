"""Reads and checks the table of a group. Mirrors kernels/src/mn_stream_check.c."""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod

from predictor.errors import ModelError
from predictor.model.device.names import PREFIX
from predictor.model.device.options import (
    PREPARED_BITS,
    VERSION,
    AddOptions,
    ClampOptions,
    DeviceOptions,
    PadOptions,
    Pair,
    WeightedOptions,
    suffix,
)
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_runs import front_bytes
from predictor.model.device.stream_stage import (
    GROUP_INPUT,
    KINDS,
    MOST_ROWS,
    MOST_STAGES,
    NO_SOURCE,
    LayerOptions,
    Stage,
    is_global,
    output_rows,
    reads_rows,
    summed,
)

_HEAD = struct.Struct("<4i")
_STAGE = struct.Struct("<15i")
_WORD_BYTES = 4
_LARGEST_STEP = 65535
_LARGEST_TENSOR = (1 << 31) - 1
_LARGEST_REACH = (1 << 31) // 4 - 1
_SHIFTS = range(-31, 31)

ReadLayer = Callable[[str, bytes], DeviceOptions]
"""Reads the options of a layer's own operator, by its code."""


def read_stream(code: str, types: Pair, data: bytes, read_layer: ReadLayer) -> StreamOptions:
    """The options of a group.

    Raises:
        ModelError: the table is malformed, or its parts do not belong together.
    """
    if len(data) < _HEAD.size:
        raise ModelError(f"the options of {code} end after {len(data)} bytes")
    version, count, rows, row_bytes = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ModelError(f"the options of {code} are not of version {VERSION}")
    _ensure(
        1 <= count <= MOST_STAGES and 1 <= rows <= MOST_ROWS and row_bytes >= 1,
        f"the options of {code} have {count} stages for {rows} rows of {row_bytes} bytes",
    )
    stages: list[Stage] = []
    at = _HEAD.size
    for index in range(count):
        size = _stage_bytes(data, at)
        _ensure(size is not None, f"stage {index} of {code} leaves its options")
        stage = _read_stage(code, types, data[at : at + (size or 0)], read_layer)
        _check_stage(code, types, StreamOptions(types, rows, row_bytes, (*stages, stage)))
        stages.append(stage)
        at += size or 0
    _ensure(at == len(data), f"the options of {code} have {len(data)} bytes instead of {at}")
    made = StreamOptions(types, rows, row_bytes, tuple(stages))
    for index, stage in enumerate(stages):
        least = front_bytes(stages, index) if stage.front else 0
        _ensure(
            least is not None and stage.front >= least and stage.front % 4 == 0,
            f"stage {index} of {code} may not write where it reads",
        )
    _ensure(
        sum(stage.rows for stage in stages) <= MOST_ROWS
        and stages[-1].slots == (1 if stages[-1].is_summed else stages[-1].rows)
        and made.line_bytes <= _LARGEST_REACH,
        f"the options of {code} have too many rows",
    )
    if not made.runs:
        raise ModelError(f"the options of {code} run nothing")
    return made


def _ensure(condition: bool, reason: str) -> None:
    if not condition:
        raise ModelError(reason)


def _stage_bytes(data: bytes, at: int) -> int | None:
    """Bytes of the stage at an offset, None where it does not lie in the table."""
    if len(data) - at < _STAGE.size:
        return None
    words = int(_STAGE.unpack_from(data, at)[0])
    size = _WORD_BYTES * words
    return size if _STAGE.size <= size <= len(data) - at else None


def _read_stage(code: str, types: Pair, data: bytes, read_layer: ReadLayer) -> Stage:
    _, kind, first, second, filter, bias, step, slots, rows, row_bytes, *window, front, start = (
        _STAGE.unpack_from(data)
    )
    _ensure(0 <= kind < len(KINDS), f"the options of {code} have a stage of kind {kind}")
    name = KINDS[kind]
    is_summed = name == "GLOBAL_AVERAGE_POOL"
    name = "AVERAGE_POOL_2D" if is_summed else name
    ending = suffix(*types) if kind < KINDS.index(f"DEPTHWISE_CONV_2D_W{PREPARED_BITS}") else ""
    if name.endswith(f"_W{PREPARED_BITS}"):
        name, ending = name.removesuffix(f"_W{PREPARED_BITS}"), suffix(types[0], PREPARED_BITS)
    options = read_layer(f"{PREFIX}{name}_{ending or f'S{types[0]}'}", data[_STAGE.size :])
    assert isinstance(options, LayerOptions)
    is_add = isinstance(options, AddOptions)
    _ensure(is_add == (second != NO_SOURCE), f"a stage of {code} has a wrong number of inputs")
    sources = (first, second) if is_add else (first,)
    stage = Stage(
        options, sources, filter, bias, rows, row_bytes, step, slots, front, start, is_summed
    )
    _ensure(stage.window == tuple(window), f"a stage of {code} is not the layer of its options")
    return stage


def _check_stage(code: str, types: Pair, group: StreamOptions) -> None:
    """The last stage of a group, against those before it."""
    stage = group.stages[-1]
    before = [(item.rows, item.row_bytes) for item in group.stages[:-1]]
    reach, stride, padding = stage.window
    _ensure(
        all(GROUP_INPUT <= source < len(before) for source in stage.sources)
        and 1 <= stage.start <= stage.step <= MOST_ROWS
        and stage.slots >= 1
        and 1 <= stage.rows <= MOST_ROWS
        and stage.row_bytes >= 1,
        f"the options of {code} have a stage that is out of range",
    )
    inputs = [
        before[source] if source >= 0 else (group.rows, group.row_bytes) for source in stage.sources
    ]
    _ensure(
        len(set(inputs)) == 1
        and 1 <= stride <= _LARGEST_STEP
        and padding >= 0
        and reach <= _LARGEST_REACH
        and (isinstance(stage.options, PadOptions) or reads_rows(stage, inputs[0][0]))
        and _is_layer(stage, inputs[0], types),
        f"the stages in the options of {code} do not belong together",
    )


def _is_layer(stage: Stage, input: tuple[int, int], types: Pair) -> bool:
    """Whether a stage's rows are those of its layer, for an input of such rows."""
    options = stage.options
    if isinstance(options, AddOptions | ClampOptions):
        count = stage.rows * stage.row_bytes * (8 // types[0])
        is_alike = input == (stage.rows, stage.row_bytes) and options.count == count
        return is_alike and stage.filter == stage.bias == 0
    is_own = stage.filter == stage.bias == 0
    if isinstance(options, WeightedOptions):
        is_own = options.tables.place == "flash" and stage.filter >= 1 and stage.bias >= 0
        is_own = is_own and all(value >= 0 for value in options.tables.multipliers)
        is_own = is_own and all(value in _SHIFTS for value in options.tables.shifts)
    dims = options.input_dims
    if stage.is_summed:
        is_own = is_own and is_global(options) and stage == summed(stage)
    else:
        is_own = is_own and output_rows(options) == (stage.rows, stage.row_bytes)
    if isinstance(options, PadOptions):
        is_own = is_own and min(*options.before, *options.after) >= 0
        is_own = is_own and prod(options.output_dims) <= _LARGEST_TENSOR
    return (
        is_own
        and output_rows(options) is not None
        and dims[1] == input[0]
        and dims[2] * dims[3] * types[0] == 8 * input[1]
    )
