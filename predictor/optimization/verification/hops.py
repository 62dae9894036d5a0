"""Proves that a network over a hop computes what the one over the window does.

By induction over hops. Rows of the input have the numbers of their times. From variables that hold
anything, hops are followed until each variable holds rows of the window's network, moved by one
hop. From there one hop more leads to the same, and as numbers of rows say nothing but how rows are
made of others, so does each hop behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.errors import UnprovedError
from predictor.model.graph import Graph
from predictor.optimization.stripes.row_windows import Rows
from predictor.optimization.verification.rows import Numbering, RowNumbers
from predictor.records import dataclass

_MOST_HOPS = 4096


@dataclass(frozen=True, slots=True)
class KeptRows:
    """A variable holds these rows of a tensor of the window's network at the next inference."""

    variable: str
    tensor: int
    rows: Rows


def prove_hop(window: Graph, hop: Graph, rows: int, kept: tuple[KeptRows, ...]) -> int:
    """Shows it, and returns the number of the first hop whose outputs are those of the window.

    Args:
        kept: what the variables are to hold.

    Raises:
        UnprovedError: the networks may differ.
    """
    numbering = Numbering()
    height = window.main.tensors[window.main.inputs[0]].shape[1]
    if hop.main.tensors[hop.main.inputs[0]].shape[1] != rows:
        raise UnprovedError(f"the network over the hop does not take {rows} rows")
    most = min(_MOST_HOPS, 2 * (height // rows + 2))
    state: dict[str, Sequence[int]] = {}
    first_equal = None
    holds = 0
    for step in range(most):
        end = (step + 1) * rows + height
        new = RowNumbers(hop, numbering, end, state)
        old = RowNumbers(window, numbering, end)
        state = new.state
        if new.outputs != old.outputs:
            first_equal = None
        elif first_equal is None:
            first_equal = step
        # What the next window reads again are the rows of this one, further behind by a hop.
        following = RowNumbers(window, numbering, end + rows)
        wanted = {
            item.variable: following.rows_of(item.tensor)[item.rows.first : item.rows.end]
            for item in kept
        }
        is_held = state == wanted
        holds = holds + 1 if is_held and first_equal is not None else 0
        if holds == 2 and first_equal is not None:
            return first_equal + 1
    raise UnprovedError("the hops are not shown to compute what the windows do")
