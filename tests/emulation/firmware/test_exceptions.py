"""Fault messages on a core with real exception entry and memory protection.

QEMU's STM32F405 has the F446's core, memories and UART addresses; its RCC and cycle counter are
empty, so it also shows that start-up goes on without a PLL.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from predictor.firmware.build import FirmwareImage
from predictor.firmware.flash_blob import HEADER_BYTES, model_blobs
from predictor.firmware.protocol import AllocationFailed, Fault, StackOverflow
from predictor.firmware.runner_report import FirmwareReport, read_report
from predictor.model.example_models import EXAMPLE_MODELS
from tests.emulation.firmware.conftest import BuildRunner

QEMU = "qemu-system-arm"
pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which(QEMU) is None, reason=f"{QEMU} is missing: apt install qemu-system-arm"
    ),
]


@contextmanager
def _qemu(image: FirmwareImage, blob: Path, uart: Path) -> Iterator[subprocess.Popen[bytes]]:
    loader = f"loader,file={blob},addr={image.blob_address:#x},force-raw=on"
    command = [QEMU, "-M", "netduinoplus2", "-display", "none", "-monitor", "none"]
    command += ["-kernel", str(image.elf), "-device", loader]
    command += ["-serial", "null", "-serial", f"file:{uart}"]  # the second one is USART2
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _run(image: FirmwareImage, blob: bytes, folder: Path) -> FirmwareReport:
    uart, blob_file = folder / "uart", folder / "blob"
    blob_file.write_bytes(blob)
    with _qemu(image, blob_file, uart) as process:
        for _ in range(600):
            time.sleep(0.1)
            received = uart.read_bytes() if uart.exists() else b""
            report, _ = read_report(received)
            if report.end is not None or process.poll() is not None:
                break
    return report


def test_without_a_pll_the_run_goes_on(build_runner: BuildRunner, tmp_path: Path) -> None:
    model = EXAMPLE_MODELS["ds_cnn"](channels=8, blocks=1).build()
    report = _run(build_runner("f446re"), model_blobs(model), tmp_path)
    report.require_success()
    assert report.hello is not None
    assert (report.hello.clock_source, report.hello.clock_hz) == ("hsi", 16_000_000)


def test_a_fault_is_told_with_its_registers(tmp_path: Path, build_runner: BuildRunner) -> None:
    """A file whose table lies where no memory is: TFLM follows offsets without a check."""
    image = build_runner("f446re")
    nowhere = 0xF000_0000
    model = struct.pack("<I4sQ", nowhere - image.blob_address - HEADER_BYTES, b"TFL3", 0)
    fault = _run(image, model_blobs(model), tmp_path).failure
    assert isinstance(fault, Fault)
    precise_bus_fault_with_address, forced = 0x8200, 0x4000_0000
    assert (fault.cfsr, fault.hfsr, fault.bfar) == (precise_bus_fault_with_address, forced, nowhere)
    assert image.blob_address in (fault.r0, fault.r1, fault.r2, fault.r3)
    assert 0x0800_0000 < fault.pc < image.blob_address


@pytest.mark.parametrize("stack_bytes", [256, 512])
def test_a_stack_overflow_is_told(
    stack_bytes: int, build_runner: BuildRunner, tmp_path: Path
) -> None:
    image = build_runner("f446re", stack_bytes=stack_bytes)
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    report = _run(image, model_blobs(model), tmp_path)
    assert isinstance(report.failure, StackOverflow)
    assert report.failure.capacity_bytes == stack_bytes
    assert report.failure.sp < 0x2000_0000
    assert report.end is not None
    assert report.end.status == "failed"


def test_a_short_arena_is_told(build_runner: BuildRunner, tmp_path: Path) -> None:
    model = EXAMPLE_MODELS["ds_cnn"]().build()
    report = _run(build_runner("f446re"), model_blobs(model, arena_bytes=8000), tmp_path)
    assert isinstance(report.failure, AllocationFailed)
