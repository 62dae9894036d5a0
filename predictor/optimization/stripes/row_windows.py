"""Which rows of its inputs an operator needs for some rows of its output."""

from __future__ import annotations

from typing import NamedTuple

from predictor.model.geometry import padding_of
from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.optimization.compaction.surgery import has_integers, integers
from predictor.records import dataclass

FILTERED = ("CONV_2D", "DEPTHWISE_CONV_2D")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_ELEMENTWISE = frozenset(
    {
        "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU",
        "HARD_SWISH", "LOGISTIC", "TANH", "QUANTIZE",
    }
)  # fmt: skip


class Rows(NamedTuple):
    """Rows ``first`` to ``end`` (exclusive) of a tensor, behind and before rows of padding."""

    first: int
    end: int
    before: int = 0
    behind: int = 0

    @property
    def height(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class RowWindow:
    """How an operator walks over the rows of its computed inputs, all of the same shape.

    ``span`` rows from ``row * stride - before`` on make one output row. ``columns`` are the columns
    that the operator pads on both sides. ``sources`` are the positions of its computed inputs.
    """

    sources: tuple[int, ...]
    stride: int = 1
    span: int = 1
    before: int = 0
    columns: tuple[int, int] = (0, 0)

    def needed(self, rows: Rows, height: int) -> Rows:
        """The rows of an input of that height from which rows of the output are made."""
        first = rows.first * self.stride - self.before
        end = (rows.end - 1) * self.stride - self.before + self.span
        return Rows(max(first, 0), min(end, height), max(-first, 0), max(end - height, 0))


def row_window(subgraph: Subgraph, op: Operator) -> RowWindow | None:
    """The window of an operator, None where it does not work row by row or is not known."""
    if op.is_custom or len(op.outputs) != 1 or not op.inputs:
        return None
    output = subgraph.tensors[op.outputs[0]]
    sources = tuple(
        position
        for position, index in enumerate(op.inputs)
        if index >= 0 and not subgraph.tensors[index].is_constant
    )
    tensors = [subgraph.tensors[op.inputs[position]] for position in sources]
    if not all(map(_is_image, (output, *tensors))) or not tensors:
        return None
    if op.name == "PAD":
        return _pad(subgraph, op, sources)
    if op.name in (*FILTERED, *_POOLS):
        return _window(subgraph, op, output, sources)
    if op.name not in _ELEMENTWISE or any(tensor.shape != output.shape for tensor in tensors):
        return None
    constants = [subgraph.tensors[index] for index in op.inputs if index >= 0]
    has_rows = any(t.is_constant and t.elements > output.shape[3] for t in constants)
    return None if has_rows else RowWindow(sources)


def _is_image(tensor: Tensor) -> bool:
    return (
        len(tensor.shape) == 4
        and tensor.shape[0] == 1
        and min(tensor.shape) > 0
        and tensor.type == TensorType.INT8
        and not tensor.is_variable
    )


def _pad(subgraph: Subgraph, op: Operator, sources: tuple[int, ...]) -> RowWindow | None:
    if sources != (0,) or len(op.inputs) != 2 or not has_integers(subgraph.tensors[op.inputs[1]]):
        return None
    amounts = integers(subgraph.tensors[op.inputs[1]])
    source, output = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
    if amounts.shape != (4, 2) or amounts.min() < 0 or amounts[[0, 3]].any():
        return None
    if source.quantization != output.quantization:
        return None
    (top, _), (left, right) = amounts[1:3].tolist()
    return RowWindow(sources, before=top, columns=(left, right))


def _window(
    subgraph: Subgraph, op: Operator, output: Tensor, sources: tuple[int, ...]
) -> RowWindow | None:
    """Of a convolution or a pool; pools do not count their padding, so that none is known."""
    if sources != (0,):
        return None
    source, options = subgraph.tensors[op.inputs[0]], op.options
    is_pool = op.name in _POOLS
    if is_pool:
        filter_size: tuple[int, ...] = (
            options.get("filter_height", 0),
            options.get("filter_width", 0),
        )
        dilation: tuple[int, ...] = (1, 1)
    else:
        filter_size = subgraph.tensors[op.inputs[1]].shape[1:3]
        dilation = tuple(options.get(f"dilation_{axis}_factor", 1) for axis in "hw")
    padding = padding_of(options, source.shape[1:3], filter_size, dilation)
    if (padding.out_height, padding.out_width) != output.shape[1:3]:
        return None
    spans = [(size - 1) * step + 1 for size, step in zip(filter_size, dilation, strict=True)]
    strides = options.get("stride_h", 0), options.get("stride_w", 0)
    needed = [
        (out - 1) * stride + span
        for out, stride, span in zip(output.shape[1:3], strides, spans, strict=True)
    ]
    right = max(0, needed[1] - source.shape[2] - padding.width)
    bottom = max(0, needed[0] - source.shape[1] - padding.height)
    if is_pool and (padding.height or padding.width or right or bottom):
        return None
    return RowWindow(sources, strides[0], spans[0], padding.height, (padding.width, right))
