"""Renode's Robot Framework keywords, as far as the suite uses them, on :mod:`.monitor`.

Names and arguments are those of Renode 1.16: ``UartKeywords.cs``, ``renode-keywords.robot``.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

from tests.emulation.renode.monitor import Monitor

SLICE_S = "0.02"


class robot_keywords:  # noqa: N801, Robot Framework wants the module's name
    ROBOT_LIBRARY_SCOPE = "GLOBAL"

    def __init__(self) -> None:
        self._monitor = Monitor()

    def setup(self) -> None:
        self.reset_emulation()

    def teardown(self) -> None:
        pass

    def reset_emulation(self) -> None:
        self._monitor.reset()
        self._failing: list[str] = []
        self._lines_read = 0
        self._left_s = 0.0

    def test_teardown(self) -> None:
        pass

    def execute_command(self, command: str) -> str:
        # Renode's own answer ends in an empty line.
        return self._monitor.execute(command).replace("\n", "\n\n")

    def create_terminal_tester(
        self,
        uart: str,
        timeout: float | None = None,
        machine: str | None = None,
        endLineOption: str | None = None,  # noqa: N803
        defaultPauseEmulation: bool | None = None,  # noqa: N803
    ) -> int:
        self._monitor.execute(f"showAnalyzer {uart}")
        self._left_s = float(timeout or 8)
        return 0

    def register_failing_uart_string(
        self,
        pattern: str,
        treatAsRegex: bool = False,  # noqa: N803
    ) -> None:
        self._failing.append(pattern if treatAsRegex else re.escape(pattern))

    def wait_for_line_on_uart(
        self,
        content: str,
        timeout: float | None = None,
        testerId: int | None = None,  # noqa: N803
        treatAsRegex: bool = False,  # noqa: N803
    ) -> SimpleNamespace:
        pattern = content if treatAsRegex else re.escape(content)
        left_s = self._left_s if timeout is None else float(timeout)
        while True:
            for line in self._complete_lines()[self._lines_read :]:
                self._lines_read += 1
                if any(re.search(failing, line) for failing in self._failing):
                    raise AssertionError(f"Test failing entry has been found on UART: {line}")
                if found := re.search(pattern, line):
                    return SimpleNamespace(Line=line, Groups=list(found.groups()))
            if left_s <= 0:
                raise AssertionError(f"Terminal tester failed! {self._complete_lines()}")
            self._monitor.execute(f'emulation RunFor "{SLICE_S}"')
            left_s -= float(SLICE_S)

    def _complete_lines(self) -> list[str]:
        machine = self._monitor.machine
        text = "" if machine is None else machine.uart.decode(errors="replace")
        return text.split("\n")[:-1]
