"""Groups of layers in rows compute what the layers do one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels.binding import Library, NativeLibrary
from kernels.device_runtime import run_device_model, stream_group
from predictor.errors import ModelError
from predictor.model.builder import ModelBuilder
from predictor.model.device.device_model import device_model, original_model
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_group import Group
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.operators.mn.scratch import scratch_bytes
from tests.kernels import fuzz_streams
from tests.kernels.sanitizers import sanitized_run
from tests.kernels.streams import TYPES, in_rows, random_network

SEEDS = 25


def _inputs(graph: object, seed: int) -> list[np.ndarray]:
    main = graph.main  # type: ignore[attr-defined]
    rng = np.random.default_rng(seed)
    shapes = [main.tensors[index].shape for index in main.inputs]
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


@pytest.mark.parametrize("types", TYPES, ids="_".join)
def test_bits_are_those_of_the_layers(types: tuple[str, str], host: NativeLibrary) -> None:
    grouped = 0
    for seed in range(SEEDS):
        graph = random_network(seed, types)
        device = read_graph(write_model(in_rows(graph, seed)))
        assert write_model(original_model(device)) == write_model(graph)
        inputs = _inputs(graph, seed)
        expected = run_device_model(host, device_model(graph), inputs)
        for reference in (False, True):
            found = run_device_model(host, device, inputs, reference)
            for output, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(output, wanted, err_msg=f"seed {seed}")
        grouped += any("STREAM" in op.name for op in device.main.operators)
    assert grouped > SEEDS // 2


def test_an_activation_of_int8(host: NativeLibrary) -> None:
    """There is a kernel for it in groups only: the reference tells what it computes."""
    builder = ModelBuilder("clamp", seed=1)
    x = builder.relu6(builder.conv_2d(builder.input((1, 9, 4, 3)), 5, kernel=3))
    builder.output(builder.depthwise_conv_2d(x, kernel=3))
    graph = read_graph(builder.build())
    device = device_model(graph, groups=[Group(0, (1, 2, 1))])
    assert len(device.main.operators) == 1
    inputs = _inputs(graph, 0)
    found = run_device_model(host, device, inputs)
    np.testing.assert_array_equal(found, run_device_model(host, device, inputs, reference=True))


def test_bits_on_emulated_cores(libraries: dict[str, Library]) -> None:
    """No access beside the tensors and the scratch buffer, which fails the call."""
    for seed in range(4):
        graph = random_network(seed, TYPES[seed])
        # Prepared filters would have to be aligned, which the emulated arrays are not.
        device = in_rows(graph, seed, share=0.0)
        inputs = _inputs(graph, seed)
        expected = run_device_model(libraries["host"], device_model(graph), inputs)
        for name, library in libraries.items():
            found = run_device_model(library, device, inputs)
            for output, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(output, wanted, err_msg=f"{name}, seed {seed}")


def test_scratch_bytes(host: NativeLibrary) -> None:
    """The prediction's are those that the kernel asks for."""
    seen = 0
    for seed in range(SEEDS):
        device = in_rows(random_network(seed, TYPES[seed % 4]), seed)
        for op in device.main.operators:
            if "STREAM" not in op.name:
                continue
            options = read_options(op.name, op.custom_options)
            assert isinstance(options, StreamOptions)
            *inputs, output = options.tensor_bytes
            group = stream_group(op.custom_options or b"", inputs, np.zeros(output, np.int8))
            size = host.call(f"{options.code.lower()}_get_buffer_size", group)
            assert size == scratch_bytes(options)
            seen += 1
    assert seen > SEEDS // 2


def test_damaged_tables(sanitized: Path) -> None:
    """Refused, or right: the library and the reader of the options agree, and nothing else is
    accessed."""
    words = sanitized_run(fuzz_streams.__name__, str(sanitized), "600").split()
    refused, accepted = int(words[0]), int(words[1])
    assert refused > 300
    assert accepted > 20


@pytest.mark.slow
def test_many_damaged_tables(sanitized: Path) -> None:
    words = sanitized_run(fuzz_streams.__name__, str(sanitized), "100000").split()
    refused, accepted = int(words[0]), int(words[1])
    assert refused + accepted == 100_000
    assert accepted > 5_000


@pytest.mark.slow
def test_damaged_tables_on_emulated_cores(libraries: dict[str, Library]) -> None:
    """An access beside the tensors and the scratch buffer fails the call. Prepared filters would
    have to be aligned, which the emulated arrays are not."""
    host = libraries["host"]
    for name in set(libraries) - {"host"}:
        refused, accepted = fuzz_streams.fuzz(libraries[name], host, 1000, prepared=0.0)
        assert refused + accepted == 1000
        assert accepted > 50


def test_large_fronts_are_refused(host: NativeLibrary) -> None:
    """What a line buffer's guest writes ahead is judged before it is added to anything."""
    for seed in range(40):
        for op in in_rows(random_network(seed, TYPES[0]), seed).main.operators:
            if "STREAM" not in op.name:
                continue
            options = read_options(op.name, op.custom_options)
            assert isinstance(options, StreamOptions)
            guests = [i for i, stage in enumerate(options.stages) if stage.front]
            if not guests:
                continue
            table = bytearray(op.custom_options or b"")
            at = 16 + sum(len(stage.pack()) for stage in options.stages[: guests[0]])
            table[at + 52 : at + 56] = ((1 << 31) - 4).to_bytes(4, "little")
            *inputs, output = options.tensor_bytes
            group = stream_group(bytes(table), inputs, np.zeros(output, np.int8))
            assert host.call(f"{options.code.lower()}_get_buffer_size", group) < 0
            with pytest.raises(ModelError):
                read_options(op.name, bytes(table))
            return
    raise AssertionError("no group has a line buffer with a guest")


def test_a_group_that_waits_for_ever_is_refused() -> None:
    for seed in range(40):
        for op in in_rows(random_network(seed, TYPES[0]), seed).main.operators:
            options = read_options(op.name, op.custom_options) if "STREAM" in op.name else None
            if not isinstance(options, StreamOptions):
                continue
            stages = options.stages
            wide = [i for i, stage in enumerate(stages[:-1]) if stage.slots > stage.step]
            if not wide:
                continue
            table = bytearray(op.custom_options or b"")
            at = 16 + sum(len(stage.pack()) for stage in stages[: wide[0]])
            table[at + 28 : at + 32] = (1).to_bytes(4, "little")
            with pytest.raises(ModelError):
                read_options(op.name, bytes(table))
            return
    raise AssertionError("no group has a line buffer for more rows than it computes at once")
