"""The geometry that published.csv infers for the paper's DS-CNNs."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from predictor.boards.board import find_board
from predictor.model.builder import ModelBuilder
from predictor.prediction import predict
from tests.cost.test_coverage import published

GROWN_STRUCTS_BYTES = 32
"""By which arenas of known models exceed those of Table 4 today."""
SCRATCH_BYTES_PER_CHANNEL = 18
"""Of a depthwise layer of 3x3 in CMSIS-NN of 2020, which later releases do without."""


class Network(NamedTuple):
    channels: int
    blocks: int
    sram_bytes: int


NETWORKS = {
    "DSCNN-S": Network(64, 4, 47_188),
    "DSCNN-M": Network(172, 4, 123_348),
    "DSCNN-L": Network(276, 5, 201_392),
}


def _build(network: Network) -> bytes:
    builder = ModelBuilder("dscnn")
    x = builder.conv_2d(
        builder.input((1, 49, 10, 1)), network.channels, kernel=(10, 4), activation="relu"
    )
    for block in range(network.blocks):
        stride = 2 if block == 0 else 1
        x = builder.depthwise_conv_2d(x, kernel=3, stride=stride, activation="relu")
        x = builder.conv_2d(x, network.channels, activation="relu")
    x = builder.reshape(builder.average_pool_2d(x), (1, -1))
    builder.output(builder.fully_connected(x, 12))
    return builder.build()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_inferred_geometry_has_the_sram_of_the_table(name: str) -> None:
    network = NETWORKS[name]
    arena = predict(_build(network), "f746zg").arena.used_bytes
    then = arena + SCRATCH_BYTES_PER_CHANNEL * network.channels - GROWN_STRUCTS_BYTES
    assert then == pytest.approx(network.sram_bytes, abs=12)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_published_counts_are_those_of_the_geometry(name: str) -> None:
    rows = [row for row in published() if row["model"] == name]
    assert rows
    for row in rows:
        found = predict(_build(NETWORKS[name]), find_board(row["board"]))
        assert found.work.instructions == pytest.approx(float(row["instructions"]), rel=1e-3)
        assert found.work.streamed_bytes == int(row["streamed_bytes"])
        assert found.ops.total_macs == int(row["macs"])
