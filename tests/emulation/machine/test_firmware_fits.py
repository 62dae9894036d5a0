"""Board file, platform file and firmware agree; the firmware's instructions are counted exactly."""

from __future__ import annotations

import re

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import StopReason
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.errors import MissingDependencyError
from predictor.firmware.board_file import board_file
from predictor.firmware.build import build, firmware_dir
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.target import firmware_target
from predictor.model.example_models import autoencoder, ds_cnn
from predictor.model.random_graphs import random_graph
from tests.boards import PORTED_NAMES
from tests.emulation.machine.test_instruction_counts import SingleSteps
from tests.shared_data import MODELS, needs_shared

BOARDS = PORTED_NAMES


def _spans(platform):
    """Runs of neighbouring memories as (base, end)."""
    spans = []
    for memory in platform.memories:
        if spans and spans[-1][1] == memory.base:
            spans[-1] = (spans[-1][0], memory.end)
        else:
            spans.append((memory.base, memory.end))
    return spans


@pytest.mark.parametrize("name", BOARDS)
def test_linker_script_has_the_memories_of_the_platform_file(name):
    board = find_board(name)
    platform = board_platform(board)
    values = dict(re.findall(r'set\((\w+) "([^"]*)"\)', board_file(board)))
    script = (firmware_dir() / "linker.ld.in").read_text()
    script = re.sub(r"@(BOARD_\w+)@", lambda match: values[match[1]], script)
    memories = {
        found[0]: (int(found[1], 0), int(found[1], 0) + int(found[2], 0))
        for found in re.findall(r"(\w+) +\(\w+\) +: ORIGIN = (\w+), LENGTH = (\w+)", script)
    }
    assert set(memories) == {"FLASH", "RAM"}
    assert memories["FLASH"] in _spans(platform)
    assert memories["RAM"] in _spans(platform)
    uart = platform.peripherals[values["BOARD_UART_NAME"]]
    assert uart.registrations[0].address == int(values["BOARD_UART_BASE"], 0)
    port = f"gpioPort{chr(ord('A') + int(values['BOARD_UART_TX_PORT']))}"
    assert platform.peripherals[port].type == "GPIOPort.STM32_GPIOPort"


@pytest.fixture(scope="session", params=BOARDS)
def firmware(request):
    """The runner with all operators."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    try:
        return build(firmware_target(request.param))
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.mark.toolchain
def test_built_firmware_lies_in_the_memories_of_the_platform_file(firmware):
    platform = board_platform(find_board(firmware.board))
    image = ElfImage(firmware.elf)
    spans = _spans(platform)
    for segment in image.segments:
        for address in (segment.load_address, segment.run_address):
            assert any(base <= address < end for base, end in spans)
    ram = (image.symbol("__ram_start"), image.symbol("__ram_end"))
    assert ram in spans
    flash_end = image.symbol("__flash_end")
    assert any(memory.end == flash_end for memory in platform.memories)


WHOLE_MODELS = {
    "f446re": lambda: ds_cnn(channels=4, blocks=1).build(),
    "f746zg": lambda: autoencoder(features=64, units=32).build(),
    "f767zi": lambda: random_graph(1, mid_2020=True, max_operators=12).build(),
}


@pytest.mark.toolchain
def test_instructions_of_whole_models_equal_single_steps(firmware):
    _check_against_single_steps(firmware, WHOLE_MODELS[firmware.board]())


@pytest.mark.slow
@pytest.mark.toolchain
@needs_shared
@pytest.mark.parametrize("name", ["mlperf_ad01_int8", "tflm_micro_speech_quantized"])
def test_instructions_of_shared_models_equal_single_steps(name, firmware):
    _check_against_single_steps(firmware, (MODELS / f"{name}.tflite").read_bytes())


def _check_against_single_steps(firmware, model):
    machine = UnicornMachine(board_platform(find_board(firmware.board)))
    machine.load_elf(firmware.elf)
    machine.load_binary(model_blobs(model, ()), firmware.blob_address)
    steps = SingleSteps(machine)
    result = machine.run(until_symbol="runner_done")
    assert result.stop is StopReason.SYMBOL
    assert result.instructions == steps.count
    assert not [notice for notice in result.notices if "counted in Python" not in notice]
    assert b" end status=ok " in result.uart
