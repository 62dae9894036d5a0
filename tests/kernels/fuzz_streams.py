"""Runs groups with damaged tables; by itself in the host build, for test_streams.py under the
sanitizers.

Each case changes words of a valid table. Where the library takes the table, all its tensors have
the exact size, and the outputs must be those of the layers one after the other.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np

from kernels.binding import Library, NativeLibrary, Struct
from kernels.calls import KernelError
from kernels.device_runtime import Arrays, run_group_layers, stream_group
from predictor.errors import ModelError
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.graph import Operator, Subgraph
from tests.kernels.streams import TYPES, in_rows, random_network

EXTREMES = (-(1 << 31), -65536, -9, -2, -1, 0, 1, 2, 3, 4, 5, 8, 16, 255, 1 << 16, (1 << 31) - 1)
NETWORKS = 48


def _groups(prepared: float) -> list[tuple[Subgraph, Operator, StreamOptions]]:
    found = []
    for seed in range(NETWORKS):
        main = in_rows(random_network(seed, TYPES[seed % 4]), seed, prepared).main
        for op in main.operators:
            if "STREAM" in op.name:
                options = read_options(op.name, op.custom_options)
                assert isinstance(options, StreamOptions)
                found.append((main, op, options))
    return found


def _damaged(chance: random.Random, table: bytes) -> bytes:
    """Words at the heads of the table and its stages more often than others, and cut-off tables."""
    words = np.frombuffer(table, np.int32).copy()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(words.size)
        if chance.random() < 0.7:
            at = min(at, 4 + chance.randrange(40), words.size - 1)
        if chance.random() < 0.5:
            words[at] = chance.choice(EXTREMES)
        else:
            words[at] = (int(words[at]) + chance.choice((-2, -1, 1, 2)) + (1 << 31)) % (1 << 32) - (
                1 << 31
            )
    if chance.random() < 0.05:
        words = words[: chance.randrange(1, words.size)]
    return words.tobytes()


def _tensors(main: Subgraph, op: Operator, rng: np.random.Generator) -> Arrays:
    first = main.tensors[op.inputs[0]]
    arrays: Arrays = [rng.integers(-128, 128, first.elements).astype(np.int8)]
    for index in op.inputs[1:]:
        tensor = main.tensors[index]
        dtype = np.int32 if tensor.type.name == "INT32" else np.int8
        arrays.append(np.frombuffer(bytes(tensor.data or b""), dtype).copy())
    return arrays


def _try(library: Library, code: str, table: bytes, arrays: Arrays, output: np.ndarray) -> bool:
    """Whether the library takes the table and runs it."""
    group = stream_group(table, [0 if a is None else a.nbytes for a in arrays], output)
    size = library.call(f"{code.lower()}_get_buffer_size", group)
    if size < 0:
        return False
    scratch = Struct((np.full(max(-(-size // 4), 1), 0x5A5A5A5A, np.int32), size))
    return library.call(code.lower(), scratch, group, Struct(tuple(arrays)), output) == 0


def fuzz(library: Library, host: Library, count: int, prepared: float = 0.5) -> tuple[int, int]:
    """How many tables a library refuses, and how many it takes and runs right.

    Args:
        host: tells what the layers compute.
        prepared: share of the filters that are prepared.
    """
    chance, rng = random.Random(1), np.random.default_rng(1)
    groups = _groups(prepared)
    refused = accepted = 0
    for _ in range(count):
        subgraph, op, options = chance.choice(groups)
        table = _damaged(chance, op.custom_options or b"")
        arrays = _tensors(subgraph, op, rng)
        output = np.full(options.tensor_bytes[-1], 0x55, np.int8)
        if not _try(library, options.code, table, arrays, output):
            refused += 1
            continue
        try:
            read = read_options(op.name, table)
        except ModelError as error:
            raise AssertionError(f"the library takes what the reader refuses: {error}") from None
        assert isinstance(read, StreamOptions)
        try:
            expected = run_group_layers(host, read, arrays)
        except KernelError as error:
            raise AssertionError(f"a layer of an accepted table is refused: {error}") from None
        np.testing.assert_array_equal(output, expected)
        accepted += 1
    return refused, accepted


def main() -> None:
    library = NativeLibrary(Path(sys.argv[1]))
    print(*fuzz(library, library, int(sys.argv[2])))


if __name__ == "__main__":
    main()
