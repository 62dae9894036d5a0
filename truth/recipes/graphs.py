"""Whole graphs: branches, tensors that live long or are of equal size, plans from the file."""

from __future__ import annotations

from predictor.model.random_graphs import random_graph
from truth.sketch import Sketch, recipe

_GRAPHS = 40


@recipe("graph", " ".join(f"int8_{seed}" for seed in range(_GRAPHS)))
def _graph(s: Sketch) -> None:
    seed = int(s.feature)
    s.builder = random_graph(seed, max_operators=6 + seed)


@recipe("planned", "int8_apart int8_together")
def _planned(s: Sketch) -> None:
    """Offsets in the arena from the file, for all tensors or for one."""
    b = s.builder
    x = s.input((1, 4, 4, 4))
    y = b.conv_2d(x, 8, kernel=3)
    z = b.relu(y)
    b.output(z)
    b.offline_plan({x: 0, y: 64, z: 192} if s.feature == "apart" else {y: 256})
