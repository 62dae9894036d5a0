"""The sliding windows of the project's kernels."""

from __future__ import annotations

from predictor.model.device.options import Pair, PoolOptions, WeightedOptions
from predictor.operators.context import GraphState
from predictor.operators.loops.windows import Axis, is_of_sane_size


def axes_of(
    options: WeightedOptions | PoolOptions,
    state: GraphState,
    window: Pair,
    dilation: Pair = (1, 1),
) -> tuple[Axis, Axis] | None:
    """Rows and columns, None where they are too many to go through."""
    rows, columns = (
        Axis(
            options.input_dims[1 + index],
            window[index],
            options.output_dims[1 + index],
            options.stride[index],
            dilation[index],
            options.padding[index],
        )
        for index in range(2)
    )
    return (rows, columns) if is_of_sane_size(state, rows, columns) else None


def whole(axis: Axis) -> int:
    """Output positions whose window lies inside."""
    last = (axis.size - reach(axis) + axis.pad) // axis.stride
    first = -(-axis.pad // axis.stride)
    return max(0, min(last, axis.out - 1) - first + 1)


def reach(axis: Axis) -> int:
    """From a window's first tap to behind its last."""
    return (axis.window - 1) * axis.dilation + 1
