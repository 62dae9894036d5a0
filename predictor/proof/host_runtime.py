"""Runs models in the real runtimes on this machine, in a child process.

Two runtimes: ``tflite_micro`` (TFLM's Python package, reference kernels on x86-64) and ``litert``
(TensorFlow Lite's interpreter, package ``ai-edge-litert``). A bad model can crash either, so a
child process (``host_child.py``) runs them; it serves many models and is started anew after a
crash.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import field
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from predictor.errors import MissingDependencyError, ModelError
from predictor.files import temporary_parent
from predictor.memory.arena_report import KindUsage
from predictor.model.tflite_reader import read_graph
from predictor.processes import TiedProcess
from predictor.proof import host_child
from predictor.proof.host_child import LAYERS
from predictor.records import dataclass

Array = npt.NDArray[Any]
Arrays = tuple[Array, ...]

PACKAGES = {"tflite_micro": "tflite-micro", LAYERS: "tflite-micro", "litert": "ai-edge-litert"}
_MODULES = {"tflite_micro": "tflite_micro", LAYERS: "tflite_micro", "litert": "ai_edge_litert"}
_ARENA_BYTES = 16 << 20
_TIMEOUT_S = 60.0

# How TFLM's recorder names what it calls by RecordedAllocationType.
KIND_NAMES = {
    "TfLiteEvalTensor data": "kTfLiteEvalTensorData",
    "Persistent TfLiteTensor data": "kPersistentTfLiteTensorData",
    "Persistent TfLiteTensor quantization data": "kPersistentTfLiteTensorQuantizationData",
    "Persistent buffer data": "kPersistentBufferData",
    "TfLiteTensor variable buffer data": "kTfLiteTensorVariableBufferData",
    "NodeAndRegistration struct": "kNodeAndRegistrationArray",
    "Operator runtime data": "kOpData",
}
_SECTION = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_KIND = re.compile(
    r"'([^']+)' used (\d+) bytes with alignment overhead \(requested (\d+) bytes for (\d+) "
)


@dataclass(frozen=True)
class Allocations:
    """What ``print_allocations`` of TFLM's recording interpreter says; kinds without use lack."""

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    kinds: dict[str, KindUsage]


@dataclass(frozen=True)
class HostResult:
    """One run. ``error`` is empty where it went well; ``log`` is what the runtime printed.

    ``runs`` are the outputs of each inference, ``outputs`` those of the first.
    """

    error: str
    log: str
    outputs: Arrays = ()
    allocations: Allocations | None = field(default=None)
    runs: tuple[Arrays, ...] = ()


def parse_allocations(log: str) -> Allocations | None:
    """The recorder's figures in a log, None where it printed none."""
    sections = {name: int(size) for name, size in _SECTION.findall(log)}
    if sections.keys() != {"total", "head", "tail"}:
        return None
    kinds = {
        KIND_NAMES[name]: KindUsage(int(requested), int(used), int(count))
        for name, used, requested, count in _KIND.findall(log)
    }
    return Allocations(sections["total"], sections["head"], sections["tail"], kinds)


def is_installed(name: str) -> bool:
    """Whether the package of a runtime can be imported."""
    return importlib.util.find_spec(_MODULES[name]) is not None


class HostRuntime:
    """A runtime in a child process; a context manager.

    Args:
        name: "tflite_micro", :data:`LAYERS` or "litert".

    Raises:
        MissingDependencyError: the runtime's package is not installed.
    """

    def __init__(self, name: str) -> None:
        if not is_installed(name):
            raise MissingDependencyError(
                f"the package {PACKAGES[name]} is not installed: pip install {PACKAGES[name]}"
            )
        self._name = name
        self._child: TiedProcess | None = None
        self._log = tempfile.TemporaryFile(dir=temporary_parent())  # noqa: SIM115 - closed with the runtime

    def __enter__(self) -> HostRuntime:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        self._log.close()

    def run(
        self,
        model: bytes,
        inputs: Sequence[Array] = (),
        *,
        arena_bytes: int = _ARENA_BYTES,
        timeout_s: float = _TIMEOUT_S,
    ) -> HostResult:
        """Allocates a model and, where inputs are given, runs it once.

        A crash or a run longer than ``timeout_s`` is a result with an error, no exception.
        """
        samples = [inputs] if inputs else []
        return self.run_sequence(model, samples, arena_bytes=arena_bytes, timeout_s=timeout_s)

    def run_sequence(
        self,
        model: bytes,
        samples: Sequence[Sequence[Array]],
        *,
        arena_bytes: int = _ARENA_BYTES,
        timeout_s: float = _TIMEOUT_S,
    ) -> HostResult:
        """Allocates a model and runs it once for each of the inputs; state is kept between them.

        Errors are as in :meth:`run`.
        """
        child = self._started()
        requests, answers = _pipes(child)
        start = os.fstat(self._log.fileno()).st_size
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            child.kill()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            wanted = _wanted(self._name, model)
            pickle.dump((model, tuple(map(tuple, samples)), arena_bytes, wanted), requests)
            requests.flush()
            error, runs = pickle.load(answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            error, runs = f"the runtime ended with exit code {child.wait()}", ()
            self._stop()
        finally:
            timer.cancel()
            timer.join()
        if is_late.is_set():
            self._stop()
            error, runs = f"the runtime took more than {timeout_s} s", ()
        log = os.pread(self._log.fileno(), 1 << 20, start).decode(errors="replace")
        return HostResult(error, log, runs[0] if runs else (), parse_allocations(log), runs)

    def _started(self) -> TiedProcess:
        if self._child is None:
            self._child = TiedProcess(
                [sys.executable, "-m", host_child.__name__, self._name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        requests, answers = _pipes(child)
        child.kill()
        child.wait()
        answers.close()
        try:
            requests.close()
        except BrokenPipeError:
            return


def _pipes(child: TiedProcess) -> tuple[IO[bytes], IO[bytes]]:
    """Its standard input and output, which are pipes."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child process has no pipes")
    return child.stdin, child.stdout


def random_inputs(shapes: Sequence[tuple[tuple[int, ...], Any]], seed: int = 0) -> Arrays:
    """Random arrays: integers over their whole range, floats in [-1, 1]."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape, kind in shapes:
        dtype = np.dtype(kind)
        if dtype.kind == "f":
            arrays.append(rng.uniform(-1.0, 1.0, shape).astype(dtype))
        elif dtype.kind == "b":
            arrays.append(rng.integers(0, 2, shape).astype(dtype))
        else:
            bounds = np.iinfo(dtype)
            arrays.append(rng.integers(bounds.min, bounds.max, shape, dtype, endpoint=True))
    return tuple(arrays)


def _wanted(name: str, model: bytes) -> tuple[int, ...]:
    """What the runtime is asked for: numbers of outputs, or of tensors where it gives all."""
    try:
        main = read_graph(model).main
    except ModelError:
        return ()  # the runtime says what is wrong with it
    if name == LAYERS:
        return tuple(index for operator in main.operators for index in operator.outputs)
    return tuple(range(len(main.outputs)))
