"""Mutated files: each is predicted or refused with a reason; no traceback, hang or memory hog."""

from __future__ import annotations

import random
import resource

import pytest

import predictor
from predictor.errors import ModelError
from predictor.model.device.device_model import device_model
from predictor.model.example_models import autoencoder, ds_cnn, mobilenet_v2
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_writer import write_model
from tests.fuzz.limits import limited
from tests.networks import int4_layers, network

MAX_EXTRA_BYTES = 500 << 20


def _seeds() -> list[bytes]:
    models = [ds_cnn(), autoencoder(), mobilenet_v2(), *map(random_graph, range(5))]
    return [model.build() for model in models]


def _mutate(content: bytes, rng: random.Random) -> bytes:
    """A few changes of the kinds that damage and malice make."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind = rng.randrange(5)
        # The tables stand at the ends of the file; weights fill the middle.
        near_end = len(data) - 1 - rng.randrange(min(4096, len(data)))
        spot = rng.choice((rng.randrange(len(data)), near_end))
        if kind == 0:
            data[spot] = rng.randrange(256)
        elif kind == 1:
            data[spot] ^= 1 << rng.randrange(8)
        elif kind == 2:
            value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.randrange(1 << 16)))
            spot &= ~3
            data[spot : spot + 4] = value.to_bytes(4, "little")
        elif kind == 3:
            length = rng.randrange(1, 64)
            source = rng.randrange(len(data))
            data[spot : spot + length] = data[source : source + length]
        else:
            del data[max(16, spot) :]
        if len(data) < 17:
            break
    return bytes(data)


def _our_seeds() -> list[bytes]:
    """Models for the project's own kernels: int4 ones, and device models."""
    graphs = [network(), network("int4", "int4"), network("int4", "int8"), int4_layers()]
    models = [*graphs, device_model(graphs[0]), device_model(graphs[1], "arena")]
    return [write_model(graph) for graph in models]


def _fuzz(count: int, seed: int, seeds: list[bytes], **options: str) -> None:
    rng = random.Random(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    predicted, refused = 0, 0
    for _ in range(count):
        content = _mutate(rng.choice(seeds), rng)
        try:
            with limited():
                predictor.predict(content, **options).to_json()
            predicted += 1
        except ModelError:
            refused += 1
    assert predicted > 0
    assert refused > 0
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert after - before < MAX_EXTRA_BYTES


def test_fuzz_short() -> None:
    _fuzz(2_000, 1, _seeds())


@pytest.mark.parametrize("revision", ["2020.07", "2026.08"])
def test_fuzz_mn_kernels(revision: str) -> None:
    _fuzz(600, 2, _our_seeds(), kernels="mn", tflm=revision)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_fuzz_long(seed: int) -> None:
    _fuzz(10_000, 1000 + seed, _seeds())
