"""Worker process of :class:`~predictor.emulation.renode.console.PythonConsole`.

Reads monitor commands (JSON strings, one a line) and answers each with one line of JSON. Renode
itself prints to standard output too; so the answers keep that stream for themselves and
everything else goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Loads the .NET runtime, on the main thread as it must be.
    from pyrenode3.wrappers import Emulation, Monitor

    emulation, monitor = Emulation(), Monitor()
    for line in sys.stdin:
        command = json.loads(line) if line.strip() != "quit" else "quit"
        if command == "quit":
            break
        output, error = monitor.execute(command)
        json.dump({"output": str(output), "error": str(error)}, answers)
        answers.write("\n")
        answers.flush()
    emulation.clear()


if __name__ == "__main__":
    main()
