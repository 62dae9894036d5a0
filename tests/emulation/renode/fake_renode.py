"""A process that talks like ``renode --console`` and runs firmware (:mod:`.monitor`)."""

from __future__ import annotations

import configparser
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
    monitor, history = Monitor(), History()
    say("Renode, version 1.16.1 (stand-in)\n\r\n\r")
    for line in sys.stdin:
        command = line.rstrip("\n")
        say(echo(monitor.prompt, command))
        history.add(command)
        if command == "quit":
            break
        try:
            say(shown(monitor.execute(command)))
        except MonitorError as error:
            say(shown(error.printed) + shown(str(error)))


class History:
    """All commands that were ever given, as AntShell's ``Shell`` keeps them between processes."""

    def __init__(self) -> None:
        settings = configparser.ConfigParser()
        if "--config" in sys.argv:
            settings.read(sys.argv[sys.argv.index("--config") + 1])
        usual = Path.home() / ".config" / "renode" / "history"
        self._path = Path(settings.get("general", "history-path", fallback=str(usual)))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._commands = self._path.read_text().splitlines() if self._path.exists() else []

    def add(self, command: str) -> None:
        if self._commands[-1:] != [command]:
            self._commands.append(command)
        self._path.write_text("".join(f"{line}\n" for line in self._commands))


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
