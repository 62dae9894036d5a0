"""Kernel cases: their packing, and runs of them on the emulated boards."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from predictor.emulation.kernel_cases import (
    MAX_BUFFERS,
    Address,
    Buffer,
    KernelCase,
    Pointer,
    pack_case,
)
from predictor.errors import UsageError
from predictor.firmware.protocol import KernelResult, KernelSkipped
from tests.emulation.firmware.conftest import BOARDS, RunCases

SOURCE = bytes(range(40))


def _copy(case_id: int = 1, count: int = 40, **options: Any) -> KernelCase:
    return KernelCase(
        case_id,
        "self_test_copy_s8",
        [Address(0), Address(1), count],
        [Buffer(40, SOURCE, in_flash=True), Buffer(40, expected=SOURCE, misalignment=1)],
        **options,
    )


def _dot(case_id: int, seed: int, error: int = 0) -> KernelCase:
    """A dot product whose weights are reached through a pointer in a parameter block."""
    rng = np.random.default_rng(seed)
    x, w = (rng.integers(-128, 128, 57, dtype=np.int8) for _ in range(2))
    product = int(x.astype(np.int32) @ w.astype(np.int32)) + error
    buffers = [
        Buffer(57, x.tobytes(), misalignment=3),
        Buffer(57, w.tobytes(), in_flash=True),
        Buffer(8, struct.pack("<Ii", 0, 57)),
        Buffer(4, expected=struct.pack("<i", product), alignment=4),
    ]
    arguments = [Address(2), Address(0), Address(3)]
    return KernelCase(case_id, "self_test_dot_s8", arguments, buffers, [Pointer(2, 0, Address(1))])


def test_a_record_is_a_multiple_of_16_and_tells_its_size() -> None:
    for case in (_copy(), _dot(2, 0), KernelCase(3, "none", [], [])):
        record = pack_case(case)
        assert len(record) % 16 == 0
        assert struct.unpack_from("<2I", record) == (len(record), case.case_id)


@pytest.mark.parametrize(
    ("buffer", "words"),
    [
        (lambda: Buffer(4, b"abc"), "data holds 3 bytes"),
        (lambda: Buffer(4, expected=b"abcde"), "expected holds 5 bytes"),
        (lambda: Buffer(4, in_flash=True), "needs data"),
        (lambda: Buffer(4, alignment=3), "not a power of two"),
        (lambda: Buffer(1, b"a", in_flash=True, alignment=32), "16 bytes at most"),
    ],
)
def test_buffers_that_cannot_be(buffer: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        buffer()


def test_cases_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="does not have"):
        pack_case(KernelCase(1, "k", [Address(1)], [Buffer(4)]))
    with pytest.raises(UsageError, match="does not have"):
        pack_case(KernelCase(1, "k", [], [Buffer(4)], [Pointer(0, 0, Address(2))]))
    with pytest.raises(UsageError, match="at most"):
        pack_case(KernelCase(1, "k", [], [Buffer(4)] * (MAX_BUFFERS + 1)))


@pytest.mark.toolchain
@pytest.mark.parametrize("board", BOARDS)
def test_cases_pass_and_are_counted(board: str, run_cases: RunCases) -> None:
    report = run_cases(board, [_copy(), _dot(2, 5), _dot(3, 6)])
    report.require_success()
    assert report.hello is not None
    assert report.hello.kernel_count == 2
    results = report.kernels
    assert [result.case for result in results] == [1, 2, 3]
    for result in results:
        assert isinstance(result, KernelResult)
        assert result.passed
        assert 57 < result.cyccnt < 1000
    # The same work takes the same instructions.
    assert results[1].cyccnt == results[2].cyccnt  # type: ignore[union-attr]


@pytest.mark.toolchain
def test_what_fails_is_told(run_cases: RunCases) -> None:
    overrun = KernelCase(
        4,
        "self_test_copy_s8",
        [Address(0), Address(1), 41],
        [Buffer(40, SOURCE), Buffer(40)],
    )
    underrun = KernelCase(
        5,
        "self_test_copy_s8",
        [Address(0), Address(1, 0xFFFFFFFF), 2],
        [Buffer(40, SOURCE), Buffer(40)],
    )
    status = KernelCase(
        6, "self_test_dot_s8", [Address(0), 0, 0], [Buffer(8, struct.pack("<Ii", 0, -1))]
    )
    report = run_cases("f446re", [_dot(3, 1, error=1), overrun, underrun, status])
    failures = [
        (r.case, r.passed, r.status, r.mismatch, r.overrun)
        for r in report.kernels
        if isinstance(r, KernelResult)
    ]
    assert failures == [
        (3, False, 0, 3, -1),
        (4, False, 0, -1, 1),
        (5, False, 0, -1, 1),
        (6, False, -1, -1, -1),
    ]


@pytest.mark.toolchain
def test_an_expected_status_passes(run_cases: RunCases) -> None:
    block = Buffer(8, struct.pack("<Ii", 0, -1))
    case = KernelCase(7, "self_test_dot_s8", [Address(0), 0, 0], [block], expected_status=-1)
    (result,) = run_cases("f446re", [case]).kernels
    assert isinstance(result, KernelResult)
    assert result.passed


@pytest.mark.toolchain
def test_outputs_come_back_on_request(run_cases: RunCases) -> None:
    report = run_cases("f446re", [_copy(9, send_outputs=True), _copy(10)])
    assert {key: bytes(data) for key, data in report.kernel_outputs.items()} == {(9, 1): SOURCE}


@pytest.mark.toolchain
def test_cases_that_cannot_run_are_skipped(run_cases: RunCases) -> None:
    big = KernelCase(2, "self_test_copy_s8", [Address(0), 0, 0], [Buffer(200_000)])
    report = run_cases("f446re", [KernelCase(1, "absent", [], []), big, _copy(3)])
    report.require_success()
    reasons = [(r.case, r.reason) for r in report.kernels if isinstance(r, KernelSkipped)]
    assert reasons == [(1, "kernel_missing"), (2, "ram_full")]
    assert report.kernels[-1].case == 3
