"""Proves that two graphs compute the same rows, whether in stripes or layer by layer.

Each row of each tensor gets a number: rows have one number where the same operation on rows of one
number makes them. An operator that is not known to work by rows makes its whole output from its
whole inputs. Padding by an operator of its own counts as padding of the convolution behind it. The
graphs are equal where the rows of their outputs have the same numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from predictor.errors import UnprovedError
from predictor.model.geometry import padding_of
from predictor.model.graph import Graph, Operator, Subgraph, Tensor
from predictor.optimization.verification.reading import constant, is_alike
from predictor.optimization.verification.verifier import is_pure

_PADDING: Hashable = "padding"
"""A row outside of the input: its zero point, for convolutions."""
_WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_BY_ELEMENT = frozenset(
    {
        "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU",
        "HARD_SWISH", "LOGISTIC", "TANH", "QUANTIZE",
    }
)  # fmt: skip
_VARIABLES = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})
_AXIS = 1


def prove_rows_equal(before: Graph, after: Graph) -> None:
    """Shows that two graphs compute the same on every input.

    Raises:
        UnprovedError: they may differ.
    """
    numbering = Numbering()
    first, second = RowNumbers(before, numbering), RowNumbers(after, numbering)
    if first.ends != second.ends:
        raise UnprovedError("the outputs are not shown to be made of equal rows")


class Numbering:
    """The numbers that graphs have in common.

    ``blanks``: rows of nothing but padding, with its value. ``pads``: rows with columns of padding
    on the left and right, of a value, and the row between.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self.blanks: dict[Hashable, int] = {}
        self.pads: dict[Hashable, tuple[int, int, int, int]] = {}

    def of(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


class RowNumbers:
    """The numbers of all rows of a graph's main subgraph.

    ``ends`` is what tells all that an inference does: outputs, state, other subgraphs.

    Args:
        end: the rows of the only input are those of the times before; None: unlike any other.
        state: the rows that resource variables hold; None: they are effects like others.
            ``state`` then is what they hold afterwards.
    """

    def __init__(
        self,
        graph: Graph,
        numbering: Numbering,
        end: int | None = None,
        state: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._main: Subgraph = graph.main
        self._number = numbering.of
        self._rows: dict[int, list[int]] = {}
        self._whole: dict[int, int] = {}
        self._effects: list[int] = []
        self._blanks, self._pads = numbering.blanks, numbering.pads
        self._has_state = state is not None
        self._handles: dict[int, str] = {}
        self.state = dict(state or {})
        for position, index in enumerate(graph.main.inputs):
            tensor = graph.main.tensors[index]
            if end is None:
                self._whole[index] = self._number(("input", position, _kind(tensor)))
            else:
                kind, times = (
                    (tensor.shape[2:], _row_kind(tensor)),
                    range(end - tensor.shape[1], end),
                )
                self._rows[index] = [self._number(("time", time, kind)) for time in times]
        for op in graph.main.operators:
            self._operator(op)
        outputs = [self._whole_of(index) for index in graph.main.outputs]
        others = [
            (subgraph, [bytes(t.data) for t in subgraph.tensors if t.data is not None])
            for subgraph in graph.subgraphs[1:]
        ]
        kinds = [_kind(graph.main.tensors[index]) for index in graph.main.outputs]
        self.outputs = outputs, kinds
        self.ends = (outputs, kinds, self._effects, others)

    def _tensor(self, index: int) -> Tensor:
        return self._main.tensors[index]

    def _whole_of(self, index: int) -> int:
        """The number of all of a tensor."""
        if index < 0:
            return self._number("no tensor")
        if index not in self._whole:
            tensor = self._tensor(index)
            if index in self._rows:
                key: Hashable = ("rows", tuple(self._rows[index]))
            elif tensor.data is not None:
                key = ("constant", _kind(tensor), bytes(tensor.data))
            elif tensor.is_variable:
                key = ("variable", index, _kind(tensor))
            else:
                raise UnprovedError(f"nothing writes tensor {tensor.name!r}")
            self._whole[index] = self._number(key)
        return self._whole[index]

    def rows_of(self, index: int) -> list[int]:
        """The numbers of the rows of a tensor of one image."""
        if index not in self._rows:
            whole, count = self._whole_of(index), self._tensor(index).shape[_AXIS]
            self._rows[index] = [self._number(("row", whole, row, count)) for row in range(count)]
        return self._rows[index]

    def _operator(self, op: Operator) -> None:
        if self._has_state and op.name in _VARIABLES and not op.is_custom:
            self._variable(op)
            return
        rows = self._by_rows(op) if is_pure(op) else None
        if rows is not None:
            index = op.outputs[0]
            if len(rows) != self._tensor(index).shape[_AXIS]:
                raise UnprovedError(f"operator {op.index} ({op.label}) makes other rows")
            self._rows[index] = rows
            return
        key = (
            *self._kind(op, ()),
            tuple(map(self._whole_of, op.inputs)),
            tuple(_kind(self._tensor(index)) for index in op.intermediates),
        )
        if not is_pure(op):
            key = (*key, "effect", len(self._effects))
            self._effects.append(self._number(key))
        for position, index in enumerate(op.outputs):
            self._whole[index] = self._number(
                (*key, "output", position, _kind(self._tensor(index)))
            )

    def _variable(self, op: Operator) -> None:
        """An operator on a resource variable that holds rows of one tensor."""
        if op.name == "VAR_HANDLE":
            self._handles[op.outputs[0]] = str(op.options.get("shared_name"))
            return
        name = self._handles.get(op.inputs[0], "")
        index = op.outputs[0] if op.name == "READ_VARIABLE" else op.inputs[1]
        tensor = self._tensor(index)
        if not name or not _is_image(tensor):
            raise UnprovedError(f"operator {op.index} ({op.label}) is about no rows")
        if op.name == "ASSIGN_VARIABLE":
            self.state[name] = self.rows_of(index)
            return
        kind = (name, tensor.shape, _row_kind(tensor))
        start = [self._number(("start", kind, row)) for row in range(tensor.shape[_AXIS])]
        rows = list(self.state.get(name, start))
        if len(rows) != len(start):
            raise UnprovedError(f"operator {op.index} ({op.label}) reads other rows")
        self._rows[index] = rows

    def _kind(self, op: Operator, ignored: tuple[str, ...]) -> tuple[Hashable, ...]:
        options = {name: value for name, value in op.options.items() if name not in ignored}
        return (op.code[:3], repr(sorted(options.items(), key=repr)), op.custom_options)

    def _by_rows(self, op: Operator) -> list[int] | None:
        """The rows of an operator's output, None where it is not known to work by rows."""
        tensors = [self._tensor(index) for index in (*op.inputs, *op.outputs) if index >= 0]
        images = [tensor for tensor in tensors if not tensor.is_constant]
        if len(op.outputs) != 1 or not all(map(_is_image, images)) or len(images) < 2:
            return None
        if op.name in _WINDOWED:
            return self._windowed(op)
        if op.name in _BY_ELEMENT:
            return self._by_element(op)
        if op.name == "PAD":
            return self._padded(op)
        if op.name == "GATHER":
            return self._gathered(op)
        return self._joined(op) if op.name == "CONCATENATION" else None

    def _gathered(self, op: Operator) -> list[int] | None:
        source, output = self._tensor(op.inputs[0]), self._tensor(op.outputs[0])
        places = constant(self._tensor(op.inputs[1]))
        if op.options.get("axis", 0) != _AXIS or op.options.get("batch_dims") or places is None:
            return None
        if source.is_constant or not is_alike(source, output) or places.ndim != 1:
            return None
        rows = self.rows_of(op.inputs[0])
        if any(not 0 <= place < len(rows) for place in places.tolist()):
            return None
        return [rows[place] for place in places.tolist()]

    def _joined(self, op: Operator) -> list[int] | None:
        output = self._tensor(op.outputs[0])
        inputs = [self._tensor(index) for index in op.inputs]
        if op.options.get("axis") != _AXIS or op.options.get("fused_activation_function"):
            return None
        if any(
            t.is_constant or not is_alike(t, output) or t.shape[2:] != output.shape[2:]
            for t in inputs
        ):
            return None
        return [row for index in op.inputs for row in self.rows_of(index)]

    def _padded(self, op: Operator) -> list[int] | None:
        source, output = self._tensor(op.inputs[0]), self._tensor(op.outputs[0])
        amounts = constant(self._tensor(op.inputs[1])) if len(op.inputs) == 2 else None
        if amounts is None or amounts.shape != (4, 2) or amounts.min() < 0:
            return None
        if amounts[[0, 3]].any() or not is_alike(source, output) or output.quantization is None:
            return None
        (top, bottom), (left, right) = amounts[1:3].tolist()
        zero = output.quantization.zero_point
        blank = self._number(("blank", zero, output.shape[2:], output.type))
        rows = self.rows_of(op.inputs[0])
        if left or right:
            rows = [self._number(("padded", left, right, zero, row)) for row in rows]
            for row, number in zip(self.rows_of(op.inputs[0]), rows, strict=True):
                self._pads[number] = left, right, zero, row
        self._blanks[blank] = zero
        return [blank] * top + rows + [blank] * bottom

    def _windowed(self, op: Operator) -> list[int] | None:
        source, output = self._tensor(op.inputs[0]), self._tensor(op.outputs[0])
        is_pool = op.name.endswith("POOL_2D")
        if source.is_constant or not (is_pool or all(map(self._is_constant, op.inputs[1:]))):
            return None
        size, dilation = self._window(op, is_pool)
        padding = padding_of(op.options, source.shape[1:3], size, dilation)
        stride = op.options.get("stride_h", 0)
        if stride < 1 or (padding.out_height, padding.out_width) != output.shape[1:3]:
            return None
        ignored = ("padding", "stride_h", "dilation_h_factor", "dilation_w_factor")
        weights = tuple(map(self._whole_of, op.inputs[1:]))
        step = dilation[1] if size[1] > 1 else 1  # which says nothing of a single place
        key = (self._kind(op, ignored), weights, step, _row_kind(source), _row_kind(output))
        rows, found = self.rows_of(op.inputs[0]), []
        for row in range(output.shape[1]):
            first = row * stride - padding.height
            places = [first + place * dilation[0] for place in range(size[0])]
            taps = [rows[place] if 0 <= place < len(rows) else _PADDING for place in places]
            columns = padding.width, source.shape[2]
            if not is_pool:  # which leave out what is padded
                taps, columns = self._unpadded(taps, columns, source)
            found.append(self._number((key, output.shape[2], columns, tuple(taps))))
        return found

    def _is_constant(self, index: int) -> bool:
        return index < 0 or self._tensor(index).is_constant

    def _window(self, op: Operator, is_pool: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Height and width of an operator's filter, and its dilation."""
        if is_pool:
            return (op.options.get("filter_height", 0), op.options.get("filter_width", 0)), (1, 1)
        dilation = tuple(op.options.get(f"dilation_{axis}_factor", 1) for axis in "hw")
        return self._tensor(op.inputs[1]).shape[1:3], dilation

    def _unpadded(
        self, taps: list[Hashable], columns: tuple[int, int], source: Tensor
    ) -> tuple[list[Hashable], tuple[int, int]]:
        """The rows of a convolution's window before an operator padded them with its zero point;
        columns that are padded on the left, and columns of a row."""
        zero = source.quantization.zero_point if source.quantization else None
        plain = [_PADDING if self._blanks.get(tap) == zero else tap for tap in taps]
        pads = [self._pads.get(tap) for tap in plain if tap is not _PADDING]
        kinds = {pad[:3] if pad else None for pad in pads}
        if len(kinds) != 1:
            return taps, columns
        (kind,) = kinds
        if kind is None:
            return plain, columns
        left, right, value = kind
        if value != zero:
            return taps, columns
        before = [tap if tap is _PADDING else self._pads[tap][3] for tap in plain]
        return before, (columns[0] + left, columns[1] - left - right)

    def _by_element(self, op: Operator) -> list[int] | None:
        output = self._tensor(op.outputs[0])
        rows = []
        for index in op.inputs:
            tensor = self._tensor(index)
            if tensor.is_constant:
                if tensor.elements > output.shape[3]:
                    return None
                rows.append([self._whole_of(index)] * output.shape[1])
            elif tensor.shape != output.shape:
                return None
            else:
                rows.append(self.rows_of(index))
        kinds = tuple(_row_kind(self._tensor(index)) for index in (*op.inputs, *op.outputs))
        key = (self._kind(op, ()), kinds, output.shape[2])
        return [self._number((key, parts)) for parts in zip(*rows, strict=True)]


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and not tensor.is_variable


def _kind(tensor: Tensor) -> Hashable:
    return tensor.type, tensor.shape, tensor.quantization


def _row_kind(tensor: Tensor) -> Hashable:
    """What a row of a tensor is beside its values and columns."""
    return tensor.type, tensor.shape[3:], tensor.quantization
