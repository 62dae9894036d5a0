"""`predict measure` with everything but the wire: see conftest for the bench."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.measure import serial_port
from predictor.measure.measurements import read
from predictor.model.builder import ModelBuilder
from tests.measure.conftest import Bench
from tests.measure.emulated_board import EmulatedRun

pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
pytestmark = pytest.mark.toolchain
WATTS, SUPPLY_V = 0.162, 3.3
SAMPLE_S = 5e-5


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(_small_model(seed=1))
    return path


def _small_model(seed: int) -> bytes:
    builder = ModelBuilder("small", seed=seed)
    x = builder.conv_2d(builder.input((1, 32, 32, 4)), 16, kernel=3, activation="relu")
    builder.output(builder.softmax(builder.reshape(builder.average_pool_2d(x), (1, -1))))
    return builder.build()


def _arguments(bench: Bench, model: Path, *more: object) -> list[str]:
    fixed = ["measure", str(model), "--board", "f446re", "--port", bench.port, "--repeats", "3"]
    return fixed + [str(item) for item in more]


def _trace(run: EmulatedRun, clock_hz: int, path: Path) -> None:
    """A PPK2 recording of a run: the board's power rises while the marker is high."""
    pulses = [(start / clock_hz, end / clock_hz) for start, end in run.pulses]
    lines, time_s = ["Timestamp(ms),Current(uA),D0"], pulses[0][0] - 10 * SAMPLE_S
    while time_s < pulses[-1][1] + 10 * SAMPLE_S:
        is_high = any(start <= time_s < end for start, end in pulses)
        microamperes = 1e6 * (WATTS if is_high else WATTS / 10) / SUPPLY_V
        lines.append(f"{1e3 * time_s:.3f},{microamperes:.3f},{int(is_high)}")
        time_s += SAMPLE_S
    path.write_text("\n".join(lines))


def test_rows_with_energy(
    bench: Bench, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, output = tmp_path / "trace.csv", tmp_path / "rows" / "measurements.csv"
    output.parent.mkdir()
    runs: list[EmulatedRun] = []
    bench.on_run = runs.append
    clock_hz = bench.board.core.clock_hz
    assert run(_arguments(bench, model, "--output", output)) == 0
    bench.on_run = lambda done: _trace(done, clock_hz, trace)
    options = ("--output", output, "--current", trace, "--supply-v", SUPPLY_V)
    assert run(_arguments(bench, model, *options)) == 0
    first, second = read(output)
    assert first.energy_j is None
    assert second.energy_j == pytest.approx(WATTS * second.latency_s, rel=1e-3)
    assert (first.board, first.kernels, first.repeats) == ("f446re", "reference", 3)
    assert first.clock_hz == clock_hz
    assert first.model == "../small.tflite"
    assert first.latency_s == second.latency_s
    start, end = runs[0].pulses[0]
    assert first.latency_s == pytest.approx((end - start) / clock_hz, rel=1e-3)
    said = capsys.readouterr().out
    assert said.count("outputs  equal to the bit") == 2
    assert "energy   " in said
    assert "162 mW" in said


def test_a_row_on_standard_output(
    bench: Bench, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_arguments(bench, model)) == 0
    assert re.search(r"^model,board,clock_hz,", capsys.readouterr().out, re.MULTILINE)


def test_layers(bench: Bench, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Equal, and then with one byte of the second operator's output sent as another."""
    pytest.importorskip("tflite_micro", reason="pip install tflite-micro")
    assert run(_arguments(bench, model)) == 0
    assert run(_arguments(bench, model, "--layers")) == 0
    said = capsys.readouterr().out
    assert said.count("layers   ") == 1
    assert "layers   all 4 are equal to those of TFLM on this host" in said
    # without the hooks, in which the layers are sent
    latencies = re.findall(r"^latency  ([\d.]+ ms)", said, re.MULTILINE)
    assert len(latencies) == 2
    assert latencies[0] == latencies[1]
    bench.corrupt = lambda sent: _with_other_layer(sent, place=1)
    assert run(_arguments(bench, model, "--layers")) == 1
    expected = "layers   the first 1 are equal, then operator 1 (AVERAGE_POOL_2D), "
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("layers")]
    assert line.startswith(expected)
    assert line.endswith("1 of 16 bytes differ, the first at 0")


def _with_other_layer(sent: bytes, place: int) -> bytes:
    lines = sent.split(b"\n")
    mark = b" of=layer run=0 index=%d offset=0 hex=" % place
    number = next(i for i, line in enumerate(lines) if mark in line)
    text = lines[number].rsplit(b"*", 1)[0]
    start = text.index(b"hex=") + 4
    other = b"%02X" % (int(text[start : start + 2], 16) ^ 1)
    text = text[:start] + other + text[start + 2 :]
    end = b"\r" if lines[number].endswith(b"\r") else b""
    lines[number] = text + b"*%08X" % zlib.crc32(text) + end
    return b"\n".join(lines)


def test_layers_and_current(
    bench: Bench, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--layers", "--current", tmp_path / "trace.csv")
    assert run(_arguments(bench, model, *options)) == 2
    assert "--layers goes without --current" in capsys.readouterr().err


def _without_line(kind: bytes, sent: bytes) -> bytes:
    lines = sent.split(b"\n")
    lost = next(i for i, line in enumerate(lines) if b" " + kind + b" " in line)
    return b"\n".join(lines[:lost] + lines[lost + 1 :])


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (lambda sent: _without_line(b"operator", sent), "1 messages were lost or garbled"),
        (lambda sent: sent.replace(b"data of", b"data oF", 1), "2 messages were lost or garbled"),
        (lambda sent: b"noise without a message", "says nothing 2 s after reset"),
        (lambda sent: sent[: len(sent) // 2], "fell silent for 2 s"),
    ],
    ids=["lost", "garbled", "nothing", "cut"],
)
def test_a_bad_wire(
    corrupt: object,
    words: str,
    bench: Bench,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serial_port, "START_TIMEOUT_S", 2.0)
    monkeypatch.setattr(serial_port, "SILENCE_TIMEOUT_S", 2.0)
    bench.corrupt = corrupt  # type: ignore[assignment]
    output = tmp_path / "m.csv"
    assert run(_arguments(bench, model, "--output", output)) == 1
    assert words in capsys.readouterr().err
    assert not output.exists()


def test_another_model_in_flash(
    bench: Bench, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The probe claims to have written, and did not."""
    assert run(_arguments(bench, model)) == 0
    other = tmp_path / "other.tflite"
    other.write_bytes(_small_model(seed=2))
    bench.add_file = lambda path, base_address: None  # type: ignore[method-assign]
    assert run(_arguments(bench, other)) == 1
    assert "the board runs another firmware or model" in capsys.readouterr().err


def test_a_trace_of_another_run(
    bench: Bench, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, output = tmp_path / "trace.csv", tmp_path / "m.csv"
    bench.on_run = lambda done: _trace(done, bench.board.core.clock_hz // 2, trace)
    options = ("--output", output, "--current", trace, "--supply-v", SUPPLY_V)
    assert run(_arguments(bench, model, *options)) == 2
    assert "the trace is of another run" in capsys.readouterr().err
    assert not output.exists()


def test_a_model_that_does_not_fit(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    builder = ModelBuilder("large")
    builder.output(builder.conv_2d(builder.input((1, 96, 96, 3)), 32, kernel=3))
    path.write_bytes(builder.build())
    assert run(_arguments(bench, path)) == 3
    assert bench.program == b""


def test_a_port_that_is_not_there(
    bench: Bench, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.port = "/dev/no_such_port"
    assert run(_arguments(bench, model)) == 1
    assert "cannot open /dev/no_such_port" in capsys.readouterr().err
