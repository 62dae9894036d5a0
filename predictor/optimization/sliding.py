"""A model over a window as one over a hop: written, and predicted beside the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from predictor.boards.board import Board
from predictor.model.tflite_reader import ModelSource
from predictor.model.tflite_writer import write_model
from predictor.optimization.offline_plan import without_plan
from predictor.optimization.optimization import count_instructions
from predictor.optimization.stripes.hop import Hop, with_hop
from predictor.prediction import DEFAULT_BOARD, Prediction, predict
from predictor.records import dataclass
from predictor.views import JsonObject

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from predictor.options import OptionKeywords


@dataclass(frozen=True)
class SlidingModel:
    """A model over a hop. ``content`` is its file, ``before`` the model over the window."""

    hop: Hop
    before: Prediction
    after: Prediction
    content: bytes

    @property
    def instructions(self) -> tuple[float, float]:
        """Instructions of an inference over the window, and over the hop."""
        first, second = (
            sum(count_instructions(item.arena.prepared)) for item in (self.before, self.after)
        )
        return first, second

    def to_json(self) -> JsonObject:
        """The result as JSON values."""
        before, after = self.instructions
        return {
            "rows": self.hop.rows,
            "window_rows": self.hop.window_rows,
            "warm_up_hops": self.hop.warm_up,
            "layers": self.hop.layers,
            "computed_rows": self.hop.computed_rows,
            "layer_rows": self.hop.layer_rows,
            "instructions": {"window": round(before), "hop": round(after)},
            "arena_required_bytes": {
                "window": self.before.arena.required_bytes,
                "hop": self.after.arena.required_bytes,
            },
        }


def sliding_model(
    model: ModelSource,
    rows: int,
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    **options: Unpack[OptionKeywords],
) -> SlidingModel:
    """The model over a hop of so many rows of its input (its second dimension).

    Raises:
        UsageError: no hop of so many rows; the message names the operator that prevents it.
        UnprovedError: it could not be shown that it computes the same.
        ModelError, RefusedError, BoardError, RevisionError: as for any prediction.
    """
    before = predict(model, board, **options)
    graph = without_plan(before.graph)
    counts = count_instructions(before.arena.prepared)
    nodes = before.arena.prepared.nodes
    own = {
        node.context.op.index: count
        for node, count in zip(nodes, counts, strict=True)
        if not node.context.subgraph.index
    }
    hop = with_hop(graph, rows, [own[index] for index in sorted(own)])
    content = write_model(hop.graph)
    return SlidingModel(hop, before, predict(content, board, **options), content)
