"""What the host places in flash behind the firmware: model and inputs.

Layout: ``firmware/src/blob.h``. Each blob is a header of 32 bytes (magic, version, header size,
payload size, CRC-32, four parameters), then its payload; the next one starts at a multiple of 16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from predictor.firmware.arenas import ArenaPlace

BLOB_VERSION = 1
MODEL_MAGIC = b"MODL"
INPUT_MAGIC = b"INPT"
ARENAS_MAGIC = b"ARNA"
LAYERS_MAGIC = b"LAYR"
BLOB_ALIGNMENT = 16
HEADER_BYTES = 32


class LayerPlace(NamedTuple):
    """What the firmware sends of the arena after an operator ran, in the first run."""

    operator_index: int
    offset: int
    size_bytes: int


def pack_blob(magic: bytes, payload: bytes, parameters: tuple[int, int, int, int]) -> bytes:
    """One blob, padded so that another may follow it."""
    head = struct.pack("<4sHHI", magic, BLOB_VERSION, HEADER_BYTES, len(payload))
    tail = struct.pack("<4I", *parameters)
    crc = zlib.crc32(payload, zlib.crc32(tail, zlib.crc32(head)))
    blob = head + struct.pack("<I", crc) + tail + payload
    return blob + bytes(-len(blob) % BLOB_ALIGNMENT)


def model_blobs(
    model: bytes,
    inputs: Iterable[bytes] = (),
    arena_bytes: int = 0,
    repeats: int = 1,
    arenas: Sequence[ArenaPlace] = (),
    layers: Sequence[LayerPlace] = (),
) -> bytes:
    """A model and its inputs for the runner.

    Args:
        model: content of the .tflite file.
        inputs: for each run, the bytes of all input tensors in order. None at all: the runner
            makes one deterministic input (xorshift32, state 1).
        arena_bytes: size of the arena; 0 takes all RAM that is left.
        repeats: how often each input is run.
        arenas: where they lie, the one or the non-persistent one first; none at all: one of
            ``arena_bytes`` at the end of RAM.
        layers: what is sent of the arena while the first run goes on.
    """
    blobs = [pack_blob(MODEL_MAGIC, model, (arena_bytes, repeats, 0, 0))]
    if arenas:
        words = b"".join(struct.pack("<2I", item.address, item.size_bytes) for item in arenas)
        blobs.append(pack_blob(ARENAS_MAGIC, words, (0, 0, 0, 0)))
    if layers:
        places = b"".join(struct.pack("<3I", *layer) for layer in layers)
        blobs.append(pack_blob(LAYERS_MAGIC, places, (0, 0, 0, 0)))
    blobs += [pack_blob(INPUT_MAGIC, data, (0, 0, 0, 0)) for data in inputs]
    return b"".join(blobs)
