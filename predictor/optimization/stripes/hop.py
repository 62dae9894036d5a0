"""A network over a window of rows as one over a hop: only rows that are new are computed.

Successive windows share rows. The rows of the input that are still read, and the rows of one tensor
behind the first layers that no padding reaches, are kept in resource variables from one
inference to the next; the layers before that tensor run for the rows that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from predictor.errors import UsageError
from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType
from predictor.optimization.stripes.row_windows import Rows, row_window
from predictor.optimization.stripes.striping import Group, Stripes, find_group
from predictor.optimization.verification.hops import KeptRows, prove_hop
from predictor.records import dataclass

_INPUT, _LAYER = "hop/input", "hop/layer"
"""Names of the resource variables."""


@dataclass(frozen=True)
class Hop:
    """A model over a hop of ``rows`` and the one over a window of ``window_rows``.

    ``window`` is the model over the window as it is compared: its input may have lost a RESHAPE.
    ``layers`` are the first operators, which run for ``computed_rows`` instead of ``layer_rows`` of
    their last output. From hop ``warm_up`` on outputs are those of the window. ``kept`` is what the
    variables hold then.
    """

    graph: Graph
    window: Graph
    rows: int
    window_rows: int
    layers: int
    computed_rows: int
    layer_rows: int
    warm_up: int
    kept: tuple[KeptRows, ...]


@dataclass(frozen=True)
class _Cut:
    """The first operators, and which rows of their output are the last window's, moved.

    Rows ``first`` to ``end`` are reached by no padding; they move by ``shift`` rows with a hop.
    """

    group: Group
    first: int
    end: int
    shift: int

    @property
    def computed(self) -> list[Rows]:
        """The rows that have to be computed."""
        parts = Rows(0, self.first), Rows(self.end - self.shift, self.group.rows)
        return [part for part in parts if part.height]

    def work(self, instructions: Sequence[float]) -> float:
        """Instructions of the group's operators for these rows."""
        total = 0.0
        for part in self.computed:
            needed = self.group.needed(part)
            for op in self.group.operators:
                height = self.group.subgraph.tensors[op.outputs[0]].shape[1]
                total += instructions[op.index] * needed[op.outputs[0]].height / height
        return total


def with_hop(graph: Graph, rows: int, instructions: Sequence[float]) -> Hop:
    """The model over a hop of so many rows of its input, proved to compute the same.

    Args:
        instructions: of each operator of the main subgraph.

    Raises:
        UsageError: no hop of so many rows; the message names the operator that prevents it.
        UnprovedError: it could not be shown that it computes the same.
    """
    window, dropped = _without_reshape(graph)
    source = window.main.tensors[window.main.inputs[0]]
    window_rows = source.shape[1]
    if not 0 < rows < window_rows:
        raise UsageError(f"a hop of {rows} rows is none of a window of {window_rows} rows")
    own = instructions[dropped:]
    cut = _best_cut(window.main, rows, own)
    made, kept = _Hopping(window, cut, rows).graph()
    warm_up = prove_hop(window, made, rows, kept)
    computed = sum(part.height for part in cut.computed)
    return Hop(
        graph=made,
        window=window,
        rows=rows,
        window_rows=window_rows,
        layers=cut.group.stop,
        computed_rows=computed,
        layer_rows=cut.group.rows,
        warm_up=warm_up,
        kept=kept,
    )


def _without_reshape(graph: Graph) -> tuple[Graph, int]:
    """The model with an image as its input, and how many operators went for it.

    Raises:
        UsageError: its input is none.
    """
    main = graph.main
    if len(main.inputs) != 1 or len(graph.subgraphs) > 1:
        raise UsageError("a hop needs a model of one input and one subgraph")
    source = main.tensors[main.inputs[0]]
    first = main.operators[0] if main.operators else None
    readers = [op for op in main.operators if source.index in op.inputs]
    if first is not None and first.name == "RESHAPE" and readers == [first]:
        image = main.tensors[first.outputs[0]]
        if image.quantization == source.quantization and image.index not in main.outputs:
            operators = tuple(replace(op, index=op.index - 1) for op in main.operators[1:])
            changed = replace(main, operators=operators, inputs=(image.index,))
            return replace(graph, subgraphs=(changed,)), 1
    return graph, 0


def _best_cut(main: Subgraph, rows: int, instructions: Sequence[float]) -> _Cut:
    """The first operators that are run for new rows with the least work.

    Raises:
        UsageError: there are none; the message says which operator prevents it.
    """
    best, least, why = None, 0.0, ""
    source = main.inputs[0]
    for op in main.operators:
        if row_window(main, op) is None:
            why = why or f"{_words(main, op)} does not work row by row"
            break
        group = find_group(main, 0, op.index + 1)
        if group is None or group.sources != (source,):
            continue
        cut = _cut(group, rows)
        if cut is None:
            why = why or f"the rows of {_words(main, op)} do not move by whole rows with the hop"
            continue
        if cut.end - cut.first <= cut.shift:
            why = why or f"padding reaches all rows of {_words(main, op)} that could be kept"
            continue
        saved = sum(instructions[item.index] for item in group.operators) - cut.work(instructions)
        if saved > least:
            best, least = cut, saved
    if best is None:
        raise UsageError(f"a hop of {rows} rows saves no work: {why or 'rows are read elsewhere'}")
    return best


def _words(main: Subgraph, op: Operator) -> str:
    return f"operator {op.index} ({op.label}, {main.tensors[op.outputs[0]].name!r})"


def _cut(group: Group, rows: int) -> _Cut | None:
    """Which rows of a group's output stay when its input moves on; None if none do."""
    source = group.sources[0]
    free = [row for row in range(group.rows) if not _meets_padding(group, row)]
    if len(free) < 2 or free != list(range(free[0], free[-1] + 1)):
        return None
    starts = [group.needed(Rows(row, row + 1))[source].first for row in free]
    step = starts[1] - starts[0]
    if step < 1 or starts != list(range(starts[0], starts[-1] + 1, step)) or rows % step:
        return None
    return _Cut(group, free[0], free[-1] + 1, rows // step)


def _meets_padding(group: Group, row: int) -> bool:
    """Whether a row of the output depends on padding above or below some tensor."""
    needed = group.needed(Rows(row, row + 1))
    for op, window in zip(group.operators, group.windows, strict=True):
        for position in window.sources:
            height = group.subgraph.tensors[op.inputs[position]].shape[1]
            part = window.needed(needed[op.outputs[0]], height)
            if part.before or part.behind:
                return True
    return False


class _Hopping:
    def __init__(self, graph: Graph, cut: _Cut, rows: int) -> None:
        self._graph, self._cut, self._hop = graph, cut, rows
        self._stripes = Stripes(graph, cut.group)

    def graph(self) -> tuple[Graph, tuple[KeptRows, ...]]:
        """The model over the hop, and what its variables hold."""
        cut, stripes, main = self._cut, self._stripes, self._graph.main
        source = main.tensors[main.inputs[0]]
        height = source.shape[1]
        is_read_elsewhere = any(
            source.index in op.inputs for op in main.operators[cut.group.stop :]
        )
        start = 0
        if not is_read_elsewhere:
            start = min(cut.group.needed(part)[source.index].first for part in cut.computed)
            start = min(start, height - self._hop)
        kept = [KeptRows(_INPUT, source.index, Rows(start, height - self._hop))]
        self._input(source, start)
        output = cut.group.output
        stay = Rows(cut.first, cut.end - cut.shift)
        kept.append(KeptRows(_LAYER, output.index, stay))
        held = self._read(_LAYER, output, stay.height)
        parts = {part.first: stripes.stripe(n, part, start) for n, part in enumerate(cut.computed)}
        parts[stay.first] = held
        self._join([parts[first] for first in sorted(parts)], output.index)
        self._assign(_LAYER, output.index, 0, stay, cut.shift)
        draft = stripes.draft
        draft.operators[: cut.group.stop] = stripes.operators
        return draft.graph(), tuple(item for item in kept if item.rows.height)

    def _input(self, source: Tensor, start: int) -> None:
        """The window's rows from the new rows and those that are kept."""
        draft = self._stripes.draft
        new = self._stripes.tensor(source, source.name, self._hop)
        draft.inputs = [new]
        height = source.shape[1] - start
        shape = (1, height, *source.shape[2:])
        draft.tensors[source.index] = replace(source, name=f"{source.name}/window", shape=shape)
        kept = Rows(start, source.shape[1] - self._hop)
        if not kept.height:
            self._join([new], source.index)
            return
        self._join([self._read(_INPUT, source, kept.height), new], source.index)
        self._assign(_INPUT, source.index, start, kept, self._hop)

    def _join(self, parts: list[int], output: int) -> None:
        options = {"options_type": "ConcatenationOptions", "axis": 1}
        operators = self._stripes.operators
        operators.append(Operator(0, "CONCATENATION", tuple(parts), (output,), options=options))

    def _handle(self, name: str) -> int:
        """Adds a VAR_HANDLE; the tensor of its resource."""
        draft = self._stripes.draft
        index = len(draft.tensors)
        draft.tensors.append(Tensor(index, f"{name}/handle", (), TensorType.RESOURCE))
        options = {"options_type": "VarHandleOptions", "container": "", "shared_name": name}
        self._stripes.operators.append(Operator(0, "VAR_HANDLE", (), (index,), options=options))
        return index

    def _read(self, name: str, like: Tensor, rows: int) -> int:
        """Adds the reading of a variable; the tensor with its rows."""
        handle = self._handle(name)
        made = self._stripes.tensor(like, f"{name}/kept", rows)
        options = {"options_type": "ReadVariableOptions"}
        self._stripes.operators.append(
            Operator(0, "READ_VARIABLE", (handle,), (made,), options=options)
        )
        return made

    def _assign(self, name: str, index: int, start: int, rows: Rows, shift: int) -> None:
        """Keeps the rows that the next inference needs: they are ``shift`` rows behind those."""
        height = self._stripes.draft.tensors[index].shape[1] + start
        part = Rows(rows.first + shift, rows.end + shift)
        kept = self._stripes.rows({index: (index, Rows(start, height))}, index, part, name)
        handle = self._handle(name)
        options = {"options_type": "AssignVariableOptions"}
        self._stripes.operators.append(
            Operator(0, "ASSIGN_VARIABLE", (handle, kept), (), options=options)
        )
