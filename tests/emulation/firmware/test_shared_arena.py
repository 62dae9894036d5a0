"""Interpreters of several models on one ``MicroAllocator``, in firmware of current TFLM.

MCU_PREDICTOR_TFLM as in ``test_own_tflm``, a build for the Cortex-M4.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import StopReason
from predictor.emulation.platform.roomy_board import with_more_memory
from predictor.firmware.op_resolver import linkable_operators, operators_header, select_operators
from predictor.firmware.tflm_library import TflmLibrary
from predictor.firmware.user_tflm import read_user_tflm
from predictor.model.example_models import ds_cnn, mobilenet_v2
from predictor.model.random_graphs import random_graph
from predictor.sharing import Sharing, predict_sharing

TFLM_DIR = os.environ.get("MCU_PREDICTOR_TFLM", "")
pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not TFLM_DIR, reason="MCU_PREDICTOR_TFLM names no TFLM build"),
]
HERE = Path(__file__).parent
LINKER_SCRIPT = HERE.parents[2] / "tools" / "code_size" / "program" / "program.ld"
BOARD = find_board("f446re")
MODELS = {
    "kws": ds_cnn(channels=16, blocks=2).build(),
    "image": mobilenet_v2(size=48, width=0.2, head_channels=64).build(),
    **{f"random {seed}": random_graph(seed, max_operators=12).build() for seed in range(10)},
}
GROUPS = (
    ("kws", "image"),
    ("image", "kws"),
    ("kws", "kws"),
    ("random 0", "random 1"),
    ("random 2", "kws"),
    ("random 3", "random 4", "random 5"),
    ("random 6", "random 7", "random 8", "random 9"),
)
MOST_MODELS = 4
_ANSWER = struct.Struct(f"<{4 + MOST_MODELS + 1 + MOST_MODELS}I")


@cache
def _predicted(names: tuple[str, ...]) -> Sharing:
    tflm = read_user_tflm(Path(TFLM_DIR))
    (library,) = tflm.libraries
    models = [MODELS[name] for name in names]
    return predict_sharing(models, BOARD, kernels=library.kernels, tflm=tflm.revision)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, emulation_tools: None) -> Path:
    """The program with the operators of all models."""
    folder = tmp_path_factory.mktemp("shared_arena")
    tflm = read_user_tflm(Path(TFLM_DIR))
    (library,) = tflm.libraries
    sharing = _predicted(tuple(MODELS))
    labels = {label for it in sharing.predictions for label in it.deployed.graph.operator_labels}
    operators = select_operators(linkable_operators(tflm.root), labels)
    (folder / "operators.h").write_text(operators_header(operators))
    headers = TflmLibrary(library.path, tflm.root, tflm.revision, tflm.revision, library.kernels)
    flags = [*BOARD.core.model.compiler_flags, "-std=c++17", "-O2", "-fno-rtti", "-fno-exceptions"]
    flags += ["-fno-threadsafe-statics", "-DTF_LITE_STATIC_MEMORY", "-DNDEBUG", f"-I{folder}"]
    flags += [f"-isystem{path}" for path in headers.include_dirs]
    flags += ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"]
    elf = folder / "program.elf"
    command = ["arm-none-eabi-g++", *flags, str(HERE / "shared_arena.cc"), str(library.path)]
    command += [f"-Wl,-T,{LINKER_SCRIPT}", "-Wl,--no-warn-rwx-segments", "-lm", "-o", str(elf)]
    subprocess.run(command, check=True)
    return elf


class Answer:
    """What the program told of models in an arena."""

    def __init__(self, words: Sequence[int]) -> None:
        self.allocated, self.used_bytes, self.head_bytes, self.tail_bytes = words[:4]
        self.tails = words[4 : 4 + MOST_MODELS]
        self.ran = words[4 + MOST_MODELS]
        self.hashes = words[5 + MOST_MODELS :]


def _run(program: Path, names: Sequence[str], arena_bytes: int) -> Answer:
    from predictor.emulation.unicorn.machine import UnicornMachine

    _, platform = with_more_memory(BOARD)
    with UnicornMachine(platform) as machine:
        machine.load_elf(program)
        address, addresses = machine.symbol("model_data"), [0] * MOST_MODELS
        for index, name in enumerate(names):
            machine.load_binary(MODELS[name], address)
            addresses[index] = address
            address += -(-len(MODELS[name]) // 16) * 16
        request = (len(names), *addresses, machine.symbol("arena_start"), arena_bytes)
        machine.load_binary(struct.pack(f"<{len(request)}I", *request), machine.symbol("request"))
        result = machine.run(until_symbol="done", timeout_s=600)
        assert (result.stop, result.fault) == (StopReason.SYMBOL, None)
        return Answer(_ANSWER.unpack(machine.read_memory(machine.symbol("answer"), _ANSWER.size)))


@pytest.mark.parametrize("names", GROUPS, ids=" + ".join)
def test_the_arena_is_as_predicted_and_no_smaller_one_does(
    program: Path, names: tuple[str, ...]
) -> None:
    expected = _predicted(names).arena
    answer = _run(program, names, expected.required_bytes)
    assert answer.allocated == answer.ran == len(names)
    assert answer.used_bytes == expected.used_bytes
    assert answer.head_bytes == expected.nonpersistent_bytes
    assert answer.tail_bytes == expected.persistent_bytes
    assert answer.tails[: len(names)] == expected.tails
    assert _run(program, names, expected.required_bytes - 16).allocated < len(names)
    for name, found in zip(names, answer.hashes, strict=False):
        alone = _run(program, (name,), _predicted((name,)).arena.required_bytes)
        assert found == alone.hashes[0]
