"""Answers like the monitor of Renode on pipes, as far as the driver asks.

Each slice executes a million instructions. What happens is told by environment variables:
FAKE_UART (text sent in the third slice), FAKE_PC, FAKE_READS, FAKE_HALTED, FAKE_STUCK, FAKE_DIES,
FAKE_LOG (file that gets every command).
"""

import os
import re
import sys
import time

from tests.emulation.renode.fake_renode import say
from tests.emulation.renode.terminal import echo, shown

seed = 0
slices = 0
uart_file = None
idle_after = int(os.environ.get("FAKE_IDLE_AFTER", "1000000"))


def byte_at(address):
    """RAM counts up in elevens; elsewhere stands the same word everywhere."""
    if address >= 0x20000000:
        return 0x11 * (1 + address % 8)
    word = int(os.environ.get("FAKE_CODE", "46C046C0"), 16)
    return word >> 8 * (address % 4) & 0xFF


def answer(command):
    global seed, slices, uart_file
    if match := re.fullmatch(r"emulation SetSeed (\d+)", command):
        seed = int(match[1])
        return ""
    if command == "emulation GetSeed":
        return f"0x{seed:X}"
    if match := re.search(r"CreateFileBackend @(\S+) true", command):
        uart_file = match[1]
        assert not os.path.exists(uart_file)
        open(uart_file, "wb").close()
        return ""
    if command.startswith("emulation RunFor"):
        slices += 1
        if os.environ.get("FAKE_DIES"):
            say("the emulator dies\r\n")
            sys.exit(1)
        if os.environ.get("FAKE_STUCK"):
            time.sleep(1000)
        if slices == 3:
            with open(uart_file, "ab") as file:
                file.write(os.environ.get("FAKE_UART", "").encode())
        return ""
    answers = {
        "sysbus UnexpectedReads": "0x" + os.environ.get("FAKE_READS", "0"),
        "sysbus UnexpectedWrites": "0x0",
        "sysbus.cpu PC": os.environ.get("FAKE_PC", "0x8000100"),
        "sysbus.cpu ExecutedInstructions": f"0x{min(slices, idle_after) * 1_000_000:016X}",
        "sysbus.cpu IsHalted": os.environ.get("FAKE_HALTED", "False"),
        "sysbus ReadDoubleWord 0xe000e010": os.environ.get("FAKE_SYSTICK", "0x00000000"),
    }
    if command in answers:
        return answers[command]
    if match := re.fullmatch(r"sysbus ReadBytes (0x[0-9a-f]+) (\d+)", command):
        first = int(match[1], 16)
        content = ", ".join(f"0x{byte_at(first + i):02X}" for i in range(int(match[2])))
        return f"[\n{content}, \n]"
    known = ("mach create", "machine LoadPlatformDescription", "emulation SetGlobal")
    known += ("sysbus LoadELF", "sysbus LoadBinary", "sysbus.cpu VectorTableOffset")
    known += ("numbersMode", "Clear")
    if command.startswith(known):
        return ""
    return f"There was an error executing command '{command}'\nno such thing"


say("Renode, version 1.16.1 (scripted)\n\r\n\r")
for line in sys.stdin:
    command = line.rstrip("\n")
    if os.environ.get("FAKE_LOG"):
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(command + "\n")
    say(echo("(board)", command))
    if command == "quit":
        break
    for part in command.split("; "):
        say(shown(answer(part)))
