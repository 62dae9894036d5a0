"""Platform files against Renode's classes: the shipped ones pass, each kind of fault is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from predictor.boards.board import shipped_boards
from predictor.emulation.platform.board_platform import platforms_folder
from predictor.emulation.platform.description import read_platform
from predictor.emulation.platform.renode_classes import check_classes, renode_classes
from predictor.errors import PlatformError

SHIPPED = sorted(platforms_folder().glob("*.repl"))


def test_there_is_a_file_for_each_board() -> None:
    assert [path.stem for path in SHIPPED] == sorted(board.name for board in shipped_boards())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_pass(path: Path) -> None:
    check_classes(read_platform(path))


SEEDED = {
    "a default interrupt among several": (
        r"IRQ -> nvic@39",
        "-> nvic@39",
        r"ambiguous \(E15\); name one of IRQ, ReceiveDmaRequest",
    ),
    "an interrupt that the class has not": (
        r"IRQ -> nvic@39",
        "Ready -> nvic@39",
        r"has no Ready \(E13\)",
    ),
    "a numbered interrupt of a class without": (
        r"IRQ -> nvic@39",
        "3 -> nvic@39",
        r"number 3, of 0 \(E14\)",
    ),
    "an interrupt into what takes none": (
        r"IRQ -> nvic@39",
        "IRQ -> rcc@39",
        r"goes to rcc, which takes none \(E12\)",
    ),
    "an input that the receiver has not": (
        r"IRQ -> nvic@39",
        "IRQ -> nvic@513",
        r"input 513 of nvic, which has 513",
    ),
    "an interrupt wired twice": (
        r"IRQ -> nvic@39",
        "IRQ -> nvic@39\n    IRQ -> nvic@40",
        r"wired twice \(E16\): IRQ",
    ),
    "a plain address where a range is needed": (
        r"gpioPortD: GPIOPort.STM32_GPIOPort @ sysbus <0x40020C00, \+0x400>",
        "gpioPortD: GPIOPort.STM32_GPIOPort @ sysbus 0x40020C00",
        r"needs a range \(E21\): <0x40020c00, \+SIZE>",
    ),
    "the UART of the F4 without a range": (
        r"usart3: UART.STM32F7_USART @",
        "usart3: UART.STM32_UART @",
        r"a UART.STM32_UART has no size of its own and needs a range \(E21\)",
    ),
    "a parameter that the constructor lacks": (
        r"frequency: 54000000",
        "frequency: 54000000\n    clock: 3",
        r"no constructor parameter \(E25\) clock",
    ),
    "a required parameter left out": (
        r"    frequency: 54000000\n",
        "",
        r"usart3 lacks frequency, without which .* \(E25\)",
    ),
    "a property that the class has not": (
        r"PerformanceInMips: 216",
        "PerformanceInMHz: 216",
        r"no property \(E10\) PerformanceInMHz",
    ),
    "a number that does not fit": (
        r"priorityMask: 0xF0",
        "priorityMask: 0xF00",
        r"priorityMask of nvic is no byte \(E6\): 3840",
    ),
    "a string for a number": (
        r"PerformanceInMips: 216",
        'PerformanceInMips: "216"',
        r"PerformanceInMips of cpu is no uint \(E6\): '216'",
    ),
    "a reference to another class": (
        r"flash: flash\n",
        "flash: rtc\n",
        r"flash of flash_controller is no Memory.MappedMemory \(E6\): rtc",
    ),
    "a core that Renode does not have": (
        r'cpuType: "cortex-m7"',
        'cpuType: "cortex-m8"',
        r"cpuType of cpu is 'cortex-m8', not one of cortex-m0,",
    ),
    "a class that Renode does not have": (
        r"Timers.STM32F4_RTC",
        "Timers.STM32F7_RTC",
        r"class Timers.STM32F7_RTC is not known \(E4\)",
    ),
    "a peripheral over another": (
        r"@ sysbus 0x40007000",
        "@ sysbus 0x40002A00",
        r"pwr at 0x40002a00 overlaps rtc \(E39\)",
    ),
    "a peripheral over memory": (
        r"@ sysbus 0x40007000",
        "@ sysbus 0x20010000",
        r"overlaps",
    ),
    "a memory that ends within a page": (
        r"size: 0x4000\n",
        "size: 0x4200\n",
        r"itcm at 0x00000000 does not fill whole pages of 1024 bytes",
    ),
    "a peripheral without an address": (
        r"pwr: Miscellaneous.STM32_PWR @ sysbus 0x40007000",
        "pwr: Miscellaneous.STM32_PWR @ sysbus",
        r"pwr has no address",
    ),
    "a register that takes no peripherals": (
        r"pwr: Miscellaneous.STM32_PWR @ sysbus 0x40007000",
        "pwr: Miscellaneous.STM32_PWR @ nvic 0x40007000",
        r"nvic does not take a Miscellaneous.STM32_PWR \(E5\)",
    ),
}


@pytest.mark.parametrize("fault", SEEDED)
def test_a_seeded_fault_is_found(fault: str, tmp_path: Path) -> None:
    pattern, replacement, message = SEEDED[fault]
    text = (platforms_folder() / "f746zg.repl").read_text()
    changed, count = re.subn(pattern, lambda _: replacement, text, count=1)
    assert count == 1
    path = tmp_path / "board.repl"
    path.write_text(changed)
    platform = read_platform(path)
    with pytest.raises(PlatformError, match=message) as caught:
        check_classes(platform)
    assert str(caught.value).startswith("Renode refuses the platform: ")
    assert str(path) in str(caught.value)


def test_memories_that_overlap_are_found(tmp_path: Path) -> None:
    text = (platforms_folder() / "f446re.repl").read_text()
    path = tmp_path / "board.repl"
    path.write_text(text.replace("size: 0x1C000", "size: 0x20000"))
    with pytest.raises(PlatformError, match="sram2 overlaps sram1"):
        read_platform(path)


def test_each_class_has_a_source_and_all_facts_that_its_file_may_give() -> None:
    for known in renode_classes().values():
        assert known.file.endswith(f"/{known.name.split('.')[1]}.cs")
        assert known.default_gpio is None or known.default_gpio in known.gpios
        assert not isinstance(known.size_bytes, str) or known.size_bytes in known.parameters
        assert all(name[0].isupper() for name in known.properties)
        assert all(name[0].islower() for name in known.parameters)
        assert known.values.keys() <= known.parameters.keys()
