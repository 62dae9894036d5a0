"""Why a pruned model is, or is not, smaller and faster on a microcontroller."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from predictor.model.device.names import WEIGHTED
from predictor.model.graph import Graph, Tensor, TensorType

if TYPE_CHECKING:
    from predictor.prediction import Prediction

_WORTH_A_WORD = 0.3
"""Share of zero weights that no training without pruning leaves."""
_MOST_OPERATORS = 300
_MOST_WEIGHTS = 2_000_000
"""Larger models are not compacted only to be told of: ``predict optimize`` does that."""


def pruning_notes(prediction: Prediction) -> Iterable[str]:
    """What zero weights bring with TFLM's kernels, which multiply them like any others."""
    filters = _filters(prediction.graph)
    total = sum(tensor.elements for tensor in filters)
    zeros = sum(map(_zeros, filters))
    if not total or zeros < _WORTH_A_WORD * total:
        return
    share = f"{zeros / total:.0%} of the weights are zero"
    operators = len(prediction.graph.main.operators)
    if operators > _MOST_OPERATORS or total > _MOST_WEIGHTS:
        yield f"{share}: predict optimize removes the channels that hang on none but these"
        return
    from predictor.optimization.compaction.compaction import compact

    found = compact(prediction.graph)
    if found.certificates:
        removed = len(found.certificates)
        yield (
            f"{share}: predict optimize removes {removed:,} channels that this leaves without an "
            f"effect ({prediction.ops.total_macs:,} -> {_macs(found.graph, prediction):,} MACs), "
            "outputs equal to the bit"
        )
    else:
        yield (
            f"{share}, but scattered: kernels multiply them like any others and the file stores "
            "them, so the model is neither smaller nor faster; prune whole filters instead"
        )


def _macs(graph: Graph, prediction: Prediction) -> int:
    from predictor.prediction import predict_graph

    return predict_graph(graph, prediction.board, prediction.options).ops.total_macs


def _filters(graph: Graph) -> list[Tensor]:
    """Constant filters of layers with weights, each once."""
    main = graph.main
    indices = {
        op.inputs[1]
        for op in main.operators
        if op.name in WEIGHTED and not op.is_custom and len(op.inputs) > 1 and op.inputs[1] >= 0
    }
    kinds = (TensorType.INT8, TensorType.FLOAT32)
    tensors = [main.tensors[index] for index in sorted(indices)]
    return [t for t in tensors if t.type in kinds and t.data is not None]


def _zeros(tensor: Tensor) -> int:
    assert tensor.data is not None
    if tensor.type == TensorType.INT8:
        return bytes(tensor.data).count(0)
    words = array("I", bytes(tensor.data[: tensor.data.nbytes // 4 * 4]))
    return words.count(0)
