"""Matrix products and recurrent operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from predictor.semantics.shape_rules.call import Call, Rule, Shape, need
from predictor.semantics.shape_rules.elementwise import broadcast

_RECURRENT_WEIGHTS = 6
"""Input of UNIDIRECTIONAL_SEQUENCE_LSTM that is as wide as its output: of the forget gate."""


def _fully_connected(call: Call) -> Sequence[Shape]:
    shape, weights = call.shape(), call.shape(1)
    need(len(weights) == 2 and prod(shape) % weights[1] == 0)
    if call.option("keep_num_dims"):
        return [(*shape[:-1], weights[0])]
    return [(prod(shape) // weights[1], weights[0])]


def _batch_matmul(call: Call) -> Sequence[Shape]:
    first, second = call.shape(0), call.shape(1)
    need(min(len(first), len(second)) >= 2)
    rows = first[-1] if call.option("adj_x") else first[-2]
    columns = second[-2] if call.option("adj_y") else second[-1]
    return [(*broadcast(first[:-2], second[:-2]), rows, columns)]


def _svdf(call: Call) -> Sequence[Shape]:
    rank, filters = call.option("rank"), call.shape(1)[0]
    need(rank > 0 and filters % rank == 0)
    return [(call.shape()[0], filters // rank)]


def _lstm(call: Call) -> Sequence[Shape]:
    shape, weights = call.shape(), call.shape(_RECURRENT_WEIGHTS)
    need(len(shape) == 3 and len(weights) == 2)
    return [(*shape[:-1], weights[1])]


RULES: Mapping[str, Rule] = {
    "BATCH_MATMUL": _batch_matmul,
    "FULLY_CONNECTED": _fully_connected,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
