"""Messages put together, and failures in words."""

from __future__ import annotations

import zlib

import pytest

from predictor.errors import EmulationError
from predictor.firmware import protocol
from predictor.firmware.protocol import (
    Data,
    End,
    Hello,
    Hex,
    InvokeCount,
    Message,
    OutputTensor,
)
from predictor.firmware.runner_report import FirmwareReport, describe_failure, read_report
from tests.emulation.firmware.test_protocol import line_of

HELLO = Hello("runner", "id", "f446re", "cortex-m4", 180_000_000, "hse", 1000)
CONTENT = bytes(range(100))


def _output(content: bytes = CONTENT) -> list[Message]:
    messages: list[Message] = [OutputTensor(0, 0, 9, len(content), Hex(zlib.crc32(content)))]
    messages += [Data("output", 0, 0, at, content[at : at + 64]) for at in (0, 64)]
    return messages


def _report(*messages: Message) -> FirmwareReport:
    stream = b"".join(line_of(message, i) for i, message in enumerate(messages))
    report, _ = read_report([stream[:50], stream[50:]])
    return report


def test_an_output_comes_together() -> None:
    report = _report(HELLO, *_output(), End("ok", 4))
    report.require_success()
    assert report.runs[0].output_bytes(0) == CONTENT


@pytest.mark.parametrize("missing", [1, 2])
def test_an_output_with_a_lost_chunk_is_refused(missing: int) -> None:
    messages = _output()
    del messages[missing]
    with pytest.raises(EmulationError, match="did not arrive whole"):
        _report(HELLO, *messages).runs[0].output_bytes(0)


def test_an_output_that_was_never_announced() -> None:
    with pytest.raises(EmulationError, match="output 1 did not arrive"):
        _report(HELLO, *_output()).runs[0].output_bytes(1)


def test_cyccnt_leaves_the_hooks_out() -> None:
    report = _report(HELLO, InvokeCount(0, 1000, 30))
    assert report.runs[0].cyccnt == 970


def test_a_run_without_invoke_has_no_count() -> None:
    report = _report(HELLO, *_output())
    with pytest.raises(EmulationError, match="did not reach the end of Invoke"):
        _ = report.runs[0].cyccnt


def test_a_reset_forgets_what_came_before() -> None:
    first = b"".join(line_of(m, i) for i, m in enumerate([HELLO, *_output()]))
    again = line_of(HELLO, 0) + line_of(End("ok", 1), 1)
    report, _ = read_report(first + again)
    assert report.runs == {}
    assert report.end == End("ok", 1)


def test_silence_and_a_broken_end_are_failures() -> None:
    with pytest.raises(EmulationError, match="no message"):
        read_report(b"")[0].require_success()
    with pytest.raises(EmulationError, match="in the middle"):
        _report(HELLO, *_output()).require_success()


ZERO = Hex(0)
FAILURES = [
    (protocol.AllocationFailed(500, 80, 420), "420 bytes short"),
    (protocol.UnsupportedOperator(98, "LEAKY_RELU", False, 1, 0), "LEAKY_RELU"),
    (protocol.UnsupportedOperator(151, "", False, 1, 0), "builtin code 151"),
    (
        protocol.StackOverflow(Hex(0x1FFFFFA8), 512, ZERO, ZERO, ZERO, ZERO),
        "512 bytes overflowed .*0x1fffffa8.*larger stack",
    ),
    (
        protocol.Fault(*[Hex(i) for i in range(13)]),
        "pc 0x00000007, lr 0x00000006",
    ),
    (
        protocol.BlobDamaged(Hex(0x4C444F4D), 5000, 9000, 1000, Hex(1), Hex(2)),
        "model .*last 1000 bytes are blank: it is cut off",
    ),
    (protocol.BlobDamaged(Hex(0x4C444F4D), 5000, 9000, 1, Hex(1), Hex(2)), "wrong checksum; write"),
    (
        protocol.BlobDamaged(Hex(0x54504E49), 5000, 900, 0, Hex(1), Hex(2)),
        "input of 5000 bytes exceeds the 900",
    ),
    (protocol.Failed("model_missing", 0), "no model in flash"),
    (protocol.Failed("arena_exceeds_ram", 1234), "1234 bytes are left"),
    (protocol.Failed("something_new", 7), r"something_new \(7\)"),
]


@pytest.mark.parametrize(
    ("failure", "words"), FAILURES, ids=[f"{f.type}-{i}" for i, (f, _) in enumerate(FAILURES)]
)
def test_failures_are_told_in_words(failure: protocol.Failure, words: str) -> None:
    with pytest.raises(EmulationError, match=words):
        _report(HELLO, failure, End("failed", 2)).require_success()
    assert describe_failure(failure)


def test_tflms_log_stands_beside_the_failure() -> None:
    report = _report(HELLO, protocol.Log("Type INT16 not supported"), protocol.Failed("invoke", 1))
    with pytest.raises(EmulationError, match=r"Invoke returned 1; .*Type INT16 not supported"):
        report.require_success()
