"""An emulated board inside this process, on the Unicorn engine.

Unicorn executes instructions; memories, peripherals, exceptions and counting are this package's.
What hardware would trap ends the run with a fault; nothing outside the platform file can be
accessed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from predictor.boards.flash_interface import FlashTiming
from predictor.emulation.function_call import Argument, CallResult
from predictor.emulation.machine import (
    Ends,
    Machine,
    Progress,
    ProgressCallback,
    RunResult,
    StopReason,
    require_memory,
)
from predictor.emulation.platform.description import Platform
from predictor.emulation.unicorn.access_trace import AccessConsumer, AccessRecorder
from predictor.emulation.unicorn.block_counter import SLOW_NOTICE
from predictor.emulation.unicorn.byte_uses import SegmentConsumer, SegmentLayout, UseRecorder
from predictor.emulation.unicorn.core import Outcome, UnicornCore
from predictor.emulation.unicorn.counter_state import NO_ADDRESS, NO_DEADLINE
from predictor.emulation.unicorn.function_runner import FunctionRunner
from predictor.emulation.unicorn.interrupt_guard import InterruptGuard
from predictor.emulation.unicorn.library import require_unicorn
from predictor.emulation.unicorn.pipeline_counter import PipelineCounter, has_pipeline_counter
from predictor.emulation.unicorn.profile import build_profile
from predictor.errors import EmulationError, FirmwareFaultError
from predictor.firmware.elf_image import ElfImage


class UnicornMachine(Machine):
    """A board on Unicorn.

    Args:
        platform: what the board consists of.
        profile: keep instructions per function and per call; a little slower.

    Raises:
        MissingDependencyError: the packages of the extra ``emulate`` are not installed.
    """

    def __init__(self, platform: Platform, profile: bool = False) -> None:
        require_unicorn()
        super().__init__(platform)
        self._is_profile = profile
        self._loaded_core: UnicornCore | None = None
        self._runner: FunctionRunner | None = None
        self._stopped_at: int | None = None
        self._pipeline_counters: list[PipelineCounter] = []

    @property
    def _core(self) -> UnicornCore:
        if self._loaded_core is None:
            raise EmulationError("the machine has no program; call load_elf first")
        return self._loaded_core

    def load_elf(self, path: str | os.PathLike[str]) -> None:
        if self._loaded_core is not None:
            raise EmulationError("the machine has a program already; make another machine")
        self._loaded_core = UnicornCore(self.platform, ElfImage(path), self._is_profile)

    def load_binary(self, data: bytes, address: int) -> None:
        require_memory(self.platform, address, len(data), "the binary")
        self._core.memory.write(address, data)

    def reset(self) -> None:
        """Back to power-on: RAM, registers, peripherals, counts. Flash keeps its data."""
        self._core.reset()
        self._stopped_at = None

    def _run(self, ends: Ends, progress: ProgressCallback | None) -> RunResult:
        core = self._core
        if not core.has_booted:
            core.boot()
        state = core.counter.state
        state.stop_address = NO_ADDRESS if ends.symbol is None else self.symbol(ends.symbol)
        core.until_uart = ends.uart
        limit = NO_DEADLINE if ends.max_instructions is None else ends.max_instructions
        return self._run_slices(limit, ends.timeout_s, progress)

    def _run_slices(
        self, limit: int, timeout_s: float | None, progress: ProgressCallback | None
    ) -> RunResult:
        core = self._core
        start = time.monotonic()
        state = core.counter.state
        state.is_first_block = self._stopped_at == state.stop_address
        with InterruptGuard(core.request_attention) as guard:
            while (outcome := core.slice(limit)) is None:
                guard.check()
                host_s = time.monotonic() - start
                if timeout_s is not None and host_s > timeout_s:
                    outcome = Outcome(StopReason.TIMEOUT)
                    break
                if progress is not None:
                    progress(Progress(core.instructions, len(core.uart), host_s))
        self._stopped_at = state.stop_address if outcome.stop is StopReason.SYMBOL else None
        return self._result(outcome, time.monotonic() - start)

    def _result(self, outcome: Outcome, host_s: float) -> RunResult:
        core = self._core
        return RunResult(
            stop=outcome.stop,
            instructions=core.instructions,
            uart=bytes(core.uart),
            fault=outcome.fault,
            breakpoint=outcome.breakpoint,
            notices=core.notices + (() if core.counter.is_native else (SLOW_NOTICE,)),
            stack_used_bytes=core.stack_used_bytes,
            profile=build_profile(core.counter, core.image) if self._is_profile else None,
            host_s=host_s,
        )

    def _call(
        self, function: str, arguments: Sequence[Argument], ends: Ends, checks_bounds: bool
    ) -> CallResult:
        core = self._core
        if self._runner is None:
            self._runner = FunctionRunner(core)
        call = self._runner.prepare(function, arguments, checks_bounds)
        limit = NO_DEADLINE
        if ends.max_instructions is not None:
            limit = core.instructions + ends.max_instructions
        self._stopped_at = None
        try:
            run = self._run_slices(limit, ends.timeout_s, None)
            fault = call.fault(run.fault)
            if fault is not None:
                raise FirmwareFaultError(fault)
            if run.stop is not StopReason.SYMBOL:
                raise EmulationError(f"{function} did not return: {run.stop.value}")
            return call.result()
        finally:
            call.finish()

    def count_cycles(
        self, marker: str, operators: Sequence[int], flash: FlashTiming | None = None
    ) -> PipelineCounter | None:
        core = self._core
        pipeline = core.core.pipeline
        if pipeline is None or not has_pipeline_counter():
            return None
        counter = PipelineCounter(
            core.engine,
            pipeline,
            core.counter,
            core.memory.code_regions(),
            core.memory.host_address(self.symbol(marker)),
            operators,
            flash,
        )
        self._pipeline_counters.append(counter)  # its hook writes there as long as the engine lives
        return counter

    def trace_accesses(self, begin: int, end: int, consumer: AccessConsumer) -> AccessRecorder:
        """Hands each access to ``begin`` up to, not including, ``end`` to a consumer.

        The recorder's ``flush`` hands over the rest after a run, its ``remove`` ends it.
        """
        return AccessRecorder(self._core.engine, self._core.counter, begin, end, consumer)

    def record_uses(
        self,
        begin: int,
        end: int,
        marker: int,
        layout: SegmentLayout,
        consumer: SegmentConsumer,
    ) -> UseRecorder:
        """Records when bytes of ``begin`` up to ``end`` are used, apart for each segment of a run.

        See :class:`UseRecorder`; its ``remove`` ends it.
        """
        return UseRecorder(self._core.engine, begin, end, marker, layout, consumer)

    @property
    def uart(self) -> bytes:
        return bytes(self._core.uart)

    @property
    def instructions(self) -> int:
        return self._core.instructions

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        return self._core.memory.read(address, size_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        self._core.memory.write(address, data)

    def symbol(self, name: str) -> int:
        return self._core.image.symbol(name)

    def close(self) -> None:
        self._runner = self._loaded_core = None
