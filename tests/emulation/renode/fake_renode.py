"""A process that talks like ``renode --console`` and runs firmware (:mod:`.monitor`)."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.emulation.renode.monitor import Monitor, MonitorError
from tests.emulation.renode.terminal import echo, shown

VERSION = """Renode v1.16.1
  build: 20260821-stand-in
  build type: Release
  runtime: .NET 8.0.0
"""


def main() -> None:
    """Answers on standard output: the echoed command behind a prompt, then what it prints."""
    if "--version" in sys.argv:
        sys.stdout.write(VERSION)
        return
    delete_old_folders(Path(tempfile.gettempdir()))
    monitor = Monitor()
    say("Renode, version 1.16.1 (stand-in)\n\r\n\r")
    for line in sys.stdin:
        command = line.rstrip("\n")
        say(echo(monitor.prompt, command))
        if command == "quit":
            break
        try:
            say(shown(monitor.execute(command)))
        except MonitorError as error:
            say(shown(error.printed) + shown(str(error)))


def say(text: str) -> None:
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


def delete_old_folders(temporary: Path) -> None:
    """Renode takes every folder of such a name for one that a former run has left."""
    for folder in temporary.iterdir():
        if re.fullmatch(r"renode-\d+", folder.name):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
