"""Commands that are killed at any time: nothing torn, no process, nothing that stays for good."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from predictor.model.example_models import autoencoder, person_detection
from predictor.model.tflite_reader import read_graph
from tests.cli.test_emulate import session_members

COMMANDS = {
    "report": (["report", "{model}", "-o", "{out}/report.html"], 1.5),
    "optimize": (["optimize", "{model}", "-o", "{out}/smaller.tflite", "--time-limit", "1"], 3.0),
    "export": (["export", "{model}", "--for", "cmake", "-o", "{out}/project"], 1.0),
    "kernels": (["kernels", "-o", "{out}/kernels"], 1.0),
    "firmware": (["firmware", "{model}", "--board", "f446re", "--out", "{out}/firmware"], 6.0),
    "emulate": (["emulate", "{model}", "--board", "f446re"], 6.0),
}
"""What is run, and the seconds that it takes or so; the first firmware takes longer."""
_ENDS_S = 60


class Place:
    """Folders of one command: of its model and results, for temporary files, and its cache."""

    def __init__(self, path: Path) -> None:
        self.model, self.out = path / "model.tflite", path / "out"
        self.temporary, self.cache = path / "temporary", path / "cache"
        self.errors = path / "errors"
        for folder in (self.out, self.temporary, self.cache):
            folder.mkdir()

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        filled = [item.format(model=self.model, out=self.out) for item in arguments]
        program = ["-X", "faulthandler", "-c", "import predictor.start; predictor.start.predict()"]
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, *program, *filled],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_with_default_signals,
                env={
                    **os.environ,
                    "TMPDIR": str(self.temporary),
                    "XDG_CACHE_HOME": str(self.cache),
                },
            )

    def code(self, process: subprocess.Popen[bytes]) -> int:
        """Exit code of a process that ends; one that hangs says where."""
        try:
            return process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            process.wait()
            pytest.fail(self.errors.read_text()[-5000:])

    def digests(self) -> dict[str, str]:
        """Of each file among the results, by its name."""
        return {
            str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and ".mcu-predictor-partial." not in str(path)
        }

    def remains(self) -> list[str]:
        """What stands for something unfinished."""
        partial = [
            path
            for folder in (self.out, self.cache)
            for path in folder.rglob(".mcu-predictor-partial.*")
        ]
        return sorted(map(str, [*partial, *self.temporary.iterdir()]))


def _with_default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _ended(session: int) -> bool:
    deadline = time.monotonic() + _ENDS_S
    while session_members(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGKILL, 34), (signal.SIGTERM, 17)], ids=["kill", "term"]
)
def test_killed_at_any_time(name: str, number: signal.Signals, times: int, tmp_path: Path) -> None:
    arguments, seconds = COMMANDS[name]
    place = Place(tmp_path)
    builder = autoencoder() if name in ("firmware", "emulate") else person_detection()
    place.model.write_bytes(builder.build())
    process = place.start(arguments)
    assert process.wait() in (0, 3), place.errors.read_text()
    whole = place.digests()
    rng = random.Random(name)
    for turn in range(times):
        if turn % 2:
            shutil.rmtree(place.out)
            place.out.mkdir()
        process = place.start(arguments)
        time.sleep(rng.uniform(0, seconds))
        process.send_signal(number)
        code = place.code(process)
        assert code in (0, 3, 130, -number), code
        assert _ended(process.pid), "a process goes on"
        assert place.digests().items() <= whole.items() or name == "optimize", "a file is torn"
        for file in place.out.glob("*.tflite"):
            read_graph(file)
    assert place.start(arguments).wait() in (0, 3)
    assert place.digests().keys() == whole.keys()
    assert place.remains() == []
