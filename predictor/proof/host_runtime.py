"""Runs models in the real runtimes on this machine, in a child process.

Two runtimes: ``tflite_micro`` (TFLM's Python package, reference kernels on x86-64) and ``litert``
(TensorFlow Lite's interpreter, package ``ai-edge-litert``). A bad model can crash either, so a
child process runs them; it serves many models and is started anew after a crash.
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
from collections.abc import Iterator, Sequence
from dataclasses import field
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from predictor.errors import MissingDependencyError
from predictor.files import temporary_parent
from predictor.memory.arena_report import KindUsage
from predictor.processes import TiedProcess
from predictor.records import dataclass

Array = npt.NDArray[Any]
Arrays = tuple[Array, ...]

LAYERS = "tflite_micro_layers"
"""TFLM's Python package, whose outputs are those of all operators of the main subgraph."""
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
            pickle.dump((model, tuple(map(tuple, samples)), arena_bytes), requests)
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
                [sys.executable, "-m", __name__, self._name],
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


# The child process.


def _run_tflite_micro(
    model: bytes, samples: tuple[Arrays, ...], arena_bytes: int
) -> Iterator[Arrays]:
    import tflite_micro

    interpreter = tflite_micro.runtime.Interpreter.from_bytes(
        model,
        arena_size=arena_bytes,
        intrepreter_config=tflite_micro.runtime.InterpreterConfig.kAllocationRecording,
    )
    interpreter.print_allocations()
    for inputs in samples:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        yield tuple(interpreter.get_output(position) for position in range(_output_count(model)))


def _output_count(model: bytes) -> int:
    from predictor.model.tflite_reader import read_graph

    return len(read_graph(model).main.outputs)


def _run_layers(model: bytes, samples: tuple[Arrays, ...], arena_bytes: int) -> Iterator[Arrays]:
    import tflite_micro

    from predictor.model.tflite_reader import read_graph

    interpreter = tflite_micro.runtime.Interpreter.from_bytes(
        model,
        arena_size=arena_bytes,
        intrepreter_config=tflite_micro.runtime.InterpreterConfig.kPreserveAllTensors,
    )
    operators = read_graph(model).main.operators
    indices = [index for operator in operators for index in operator.outputs]
    for inputs in samples:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        yield tuple(np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in indices)


def _run_litert(model: bytes, samples: tuple[Arrays, ...], _: int) -> Iterator[Arrays]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    for inputs in samples:
        for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(details["index"], array)
        interpreter.invoke()
        yield tuple(interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details())


_RUNTIMES = {"tflite_micro": _run_tflite_micro, LAYERS: _run_layers, "litert": _run_litert}


def _serve(name: str) -> None:
    # The runtimes print to standard output, too: the answers go through a descriptor of their own.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    run = _RUNTIMES[name]
    while True:
        try:
            model, samples, arena_bytes = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: tuple[str, tuple[Arrays, ...]] = ("", tuple(run(model, samples, arena_bytes)))
        except (RuntimeError, ValueError) as error:
            answer = (f"{type(error).__name__}: {error}", ())
        sys.stderr.flush()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
