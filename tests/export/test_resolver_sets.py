"""The exported resolver has exactly the operators that TFLM asks for.

One program links all operators and registers, with TFLM's own resolver, those that the host tells
it. With the exported set AllocateTensors succeeds, with one fewer it fails, whichever that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.platform.board_platform import board_platform
from predictor.errors import RefusedError
from predictor.export.ecosystem import find_ecosystem
from predictor.export.folder import write_folder
from predictor.export.project import export_project
from predictor.export.registrations import FLOW_OF_2020, operators_of, registration
from predictor.firmware.op_resolver import LinkableOperator, linkable_operators
from predictor.firmware.tflm_library import Tflm
from predictor.model.example_models import EXAMPLE_MODELS, ds_cnn
from predictor.model.random_control_flow import random_control_flow
from predictor.model.random_graphs import random_graph
from predictor.prediction import Prediction
from tests.export.builds import compile_project, library_of, prediction_for, tflms

pytestmark = [pytest.mark.usefixtures("emulation_tools"), pytest.mark.toolchain]

BOARD = "f746zg"
PLACE = 0x080C0000
"""Flash behind the program: a byte for each operator, then the model."""
MASK_BYTES = 256
ARENA_BYTES = 200 << 10
_MAIN = """
#include <new>
#include "log.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
{includes}
using Resolver = tflite::MicroMutableOpResolver<160>;
bool (*const kAdds[])(Resolver*) = {{ {adds} }};
alignas(16) uint8_t arena[{arena_bytes}];
alignas(Resolver) uint8_t resolver_memory[sizeof(Resolver)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_memory[sizeof(tflite::MicroInterpreter)];

int main() {{
  const uint8_t* place = reinterpret_cast<const uint8_t*>({place});
  Resolver* resolver = new (resolver_memory) Resolver();
  int i = 0;
  for (auto add : kAdds) {{
    if (place[i++] && !add(resolver)) return 2;
  }}
  const tflite::Model* model = tflite::GetModel(place + {mask_bytes});
  {make}
  return interpreter->AllocateTensors() == kTfLiteOk ? 0 : 1;
}}
"""
_OF_2020 = """
  alignas(tflite::MicroErrorReporter) static uint8_t reporter[sizeof(tflite::MicroErrorReporter)];
  auto* interpreter = new (interpreter_memory) tflite::MicroInterpreter(
      model, *resolver, arena, sizeof(arena), new (reporter) tflite::MicroErrorReporter());
"""
_CURRENT = """
  auto* allocator = tflite::MicroAllocator::Create(arena, sizeof(arena));
  auto* variables = tflite::MicroResourceVariables::Create(allocator, 32);
  auto* interpreter = new (interpreter_memory)
      tflite::MicroInterpreter(model, *resolver, allocator, variables);
"""


def main_source(operators: tuple[LinkableOperator, ...], is_of_2020: bool) -> str:
    calls = (registration(operator, is_of_2020) for operator in operators)
    adds = (f"[](Resolver* r) {{ return r->{call} == kTfLiteOk; }}" for call in calls)
    of_2020 = ("micro_error_reporter", "kernels/micro_ops")
    headers = of_2020 if is_of_2020 else ("micro_resource_variable",)
    return _MAIN.format(
        includes="\n".join(f'#include "tensorflow/lite/micro/{name}.h"' for name in headers),
        adds=", ".join(adds),
        arena_bytes=ARENA_BYTES,
        place=hex(PLACE),
        mask_bytes=MASK_BYTES,
        make=_OF_2020 if is_of_2020 else _CURRENT,
    )


class Allocator:
    """The program, which says whether AllocateTensors succeeds with a set of operators."""

    def __init__(self, tflm: Tflm, folder: Path) -> None:
        prediction = prediction_for(ds_cnn(channels=4, blocks=1).build(), BOARD, tflm, None)
        library = library_of(prediction, tflm)
        self.operators = linkable_operators(library.root)
        files = dict(export_project(prediction, find_ecosystem("bare"), "exported").files)
        is_of_2020 = prediction.revision.flow == FLOW_OF_2020
        files["main.cc"] = main_source(self.operators, is_of_2020).encode()
        write_folder(folder, files)
        self._elf = compile_project(folder, "exported", library)

    def status(self, content: bytes, labels: set[str]) -> int:
        from predictor.emulation.unicorn.machine import UnicornMachine

        mask = bytes(operator.label in labels for operator in self.operators)
        with UnicornMachine(board_platform(find_board(BOARD))) as machine:
            machine.load_elf(self._elf)
            machine.load_binary(mask.ljust(MASK_BYTES, b"\0") + content, PLACE)
            result = machine.run(until_symbol="program_end", max_instructions=100_000_000)
            result.raise_fault()
            word = machine.read_memory(machine.symbol("exit_status"), 4)
            return int.from_bytes(word, "little")


def predictions(tflm: Tflm) -> Iterator[Prediction]:
    """Named and random models that this TFLM takes and the program has room for."""
    is_of_2020 = tflm.revision == "2020.07"
    named = (EXAMPLE_MODELS[name] for name in ("ds_cnn", "autoencoder"))
    for builder in (
        *(make() for make in named),
        *(
            random_control_flow(seed)
            if seed % 3 == 2 and not is_of_2020
            else random_graph(seed, max_operators=30, mid_2020=is_of_2020)
            for seed in range(400)
        ),
    ):
        content = builder.build()
        try:
            prediction = prediction_for(content, BOARD, tflm, None)
        except RefusedError:
            continue
        if prediction.arena.required_bytes < ARENA_BYTES - 2048 and len(content) < 250_000:
            yield prediction


def check(tflm: Tflm, folder: Path, count: int) -> None:
    allocator, checked = Allocator(tflm, folder), 0
    for prediction in islice(predictions(tflm), count):
        content = prediction.deployed.content or b""
        labels = {operator.label for operator in operators_of(prediction)}
        assert allocator.status(content, labels) == 0, (checked, labels)
        for label in labels:
            assert allocator.status(content, labels - {label}) == 1, (checked, label)
        checked += 1
    assert checked == count


@pytest.mark.parametrize("tflm", tflms(), ids=lambda tflm: tflm.revision)
def test_some_models(tflm: Tflm, tmp_path: Path) -> None:
    check(tflm, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("tflm", tflms(), ids=lambda tflm: tflm.revision)
def test_two_hundred_models(tflm: Tflm, tmp_path: Path) -> None:
    check(tflm, tmp_path, 200)
