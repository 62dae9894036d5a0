"""A process that talks like ``renode --console`` and runs firmware (:mod:`.monitor`)."""

from __future__ import annotations

import sys

from tests.emulation.renode.monitor import Monitor, MonitorError


def main() -> None:
    """Answers on standard output: the echoed command behind a prompt, then what it prints."""
    monitor = Monitor()
    print("Renode, version 0.0 (stand-in)", flush=True)
    for line in sys.stdin:
        command = line.rstrip("\n")
        print(f"(board) {command}", flush=True)
        if command == "quit":
            break
        try:
            text = monitor.execute(command)
        except MonitorError as error:
            text = str(error)
        if text:
            print(text + "\r", flush=True)


if __name__ == "__main__":
    main()
