"""Programs and workers end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from predictor.firmware.toolchain import run_logged
from predictor.processes import TiedProcess

# A program that starts another one; both would go on for long. The file holds their numbers.
FAMILY = 'sleep 1000 & echo $! $$ > "$0.new"; mv "$0.new" "$0"; wait'


def _is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_for(members: Path) -> list[int]:
    while not members.exists():
        time.sleep(0.01)
    return [int(word) for word in members.read_text().split()]


def _wait_until_gone(members: list[int]) -> None:
    """Fails by the suite's time limit."""
    while any(map(_is_alive, members)):
        time.sleep(0.01)


def test_a_program_has_its_streams_and_code() -> None:
    process = TiedProcess(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.communicate(b"text") == (b"text", None)
    assert TiedProcess(["sh", "-c", "exit 7"]).wait() == 7


@pytest.mark.parametrize("way", ["end", "kill", "wait", "forget"])
def test_all_that_it_started_ends(tmp_path: Path, way: str) -> None:
    members = tmp_path / "members"
    # With "wait" the program ends by itself and leaves the other one.
    script = FAMILY.removesuffix("; wait") if way == "wait" else FAMILY
    process = TiedProcess(["sh", "-c", script, str(members)])
    numbers = _wait_for(members)
    if way == "forget":
        del process
    else:
        getattr(process, way)()
        process.wait()
    _wait_until_gone(numbers)


def test_an_interrupt_at_once_leaves_nothing(tmp_path: Path) -> None:
    script = f"{FAMILY.removesuffix('wait')} kill -2 0"
    for turn in range(30):
        members = tmp_path / str(turn)
        process = TiedProcess(["sh", "-c", script, str(members)])
        numbers = _wait_for(members)
        process.wait()
        _wait_until_gone(numbers)


FORK = """
import gc, os
from predictor.processes import TiedProcess

process = TiedProcess(["sleep", "1000"])
child = os.fork()
if child == 0:
    del process
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
print(os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
process.kill()
process.wait()
"""


def test_a_fork_leaves_it_alone() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    members = tmp_path / "members"
    code = "import sys; from predictor.processes import TiedProcess\n"
    code += "TiedProcess(['sh', '-c', *sys.argv[1:]]).wait()"
    parent = subprocess.Popen([sys.executable, "-c", code, FAMILY, str(members)])
    numbers = _wait_for(members)
    parent.kill()
    parent.wait()
    _wait_until_gone(numbers)


def test_an_interrupted_step_ends_with_all_that_it_started(tmp_path: Path) -> None:
    members = tmp_path / "members"

    def interrupt() -> None:
        _wait_for(members)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_logged(["sh", "-c", FAMILY, str(members)], tmp_path / "log", "sleeping")
    _wait_until_gone(_wait_for(members))


POOL = """
import sys, time
from pathlib import Path
from predictor.processes import TiedProcess
from predictor.workers import run_in_workers

def work(number):
    if number == 0:  # the others are idle by the time that it has written its file
        TiedProcess(["sh", "-c", *sys.argv[1:]]).wait()

if __name__ == "__main__":
    Path(sys.argv[2] + ".pool").touch()
    list(run_in_workers(work, range(4), 4))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_pool(tmp_path: Path, number: signal.Signals) -> None:
    members = tmp_path / "members"
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    parent = subprocess.Popen(
        [sys.executable, str(script), FAMILY, str(members)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    numbers = _wait_for(members)
    workers = [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if stat.exists() and int(stat.read_text().rsplit(")", 1)[1].split()[3]) == parent.pid
    ]
    assert len(workers) >= 4
    parent.send_signal(number)
    parent.wait()
    _wait_until_gone([*numbers, *workers])
