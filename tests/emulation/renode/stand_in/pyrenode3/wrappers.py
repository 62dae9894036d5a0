"""The two objects that pyrenode3 wraps; there is one emulation a process."""

from __future__ import annotations

from tests.emulation.renode import monitor

_MONITOR = monitor.Monitor()


class Emulation:
    def clear(self) -> None:
        _MONITOR.reset()


class Monitor:
    def execute(self, command: str) -> tuple[str, str]:
        """(output, complaint); like pyrenode3, raises nothing."""
        print("Renode talks on standard output too")
        try:
            return _MONITOR.execute(command), ""
        except monitor.MonitorError as error:
            return error.printed, str(error)
